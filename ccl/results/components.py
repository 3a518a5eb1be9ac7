"""The knowledge components that the stage ``components`` wrote, and Figure 8, which shows them by t-SNE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ccl.io.errors import InputError
from ccl.io.files import read_json, read_table
from ccl.pages.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PAGE_IN, PURPLE, panel, set_heading
from ccl.results.described import Described, check_described

COLOURS = {
    "common": ORANGE,
    "synergistic": GREEN,
    "genomic-specific": BLUE,
    "genomics": BLUE,
    "pathology-specific": PURPLE,
    "pathology": PURPLE,
}
"""Colours of the paper; a component that is not listed is grey."""

ENTRIES = ("cohort", "encoder", "model", "weights", "synthetic", "seeds", "embedded_seed", "components", "groups")
"""Required entries of ``components.json``."""

MARKERS = "o^sDvPX*"
"""Markers of the risk groups, in order; they repeat if there are more groups."""

MOST_COLUMNS = 5
"""Largest number of folds in one row."""

LARGEST_PANEL_IN = 2.6

HALO = 3.0
"""The first component's points are larger by this factor, because another component's often cover them."""

LEGEND_COLUMNS = 4


@dataclass(frozen=True)
class Components(Described):
    """What the stage ``components`` wrote for one model on one cohort; the facts are ``components.json``."""

    points: pd.DataFrame
    """``components.csv``"""
    similarity: pd.DataFrame
    """``similarity.csv``"""

    @property
    def notes(self) -> list[str]:
        """Notes under the title of the figure, without the caveats."""
        seed = [f"seed {self.facts['embedded_seed']}"] if len(self.facts["seeds"]) > 1 else []
        return ["t-SNE of test patients, each fold by itself", "last epoch", *seed]


def read_components(folder: Path) -> Components:
    """Read a folder of the stage ``components``.

    Raises
    ------
    InputError
        A file is missing, empty or damaged.
    """
    found = Components(
        facts=read_json(folder / "components.json", required=ENTRIES, todo="run `ccl components` again"),
        points=read_table(
            folder / "components.csv", required=("fold", "component", "x", "y"), text=("patient_id", "component")
        ),
        similarity=read_table(folder / "similarity.csv", text=("statistic", "first", "second")),
    )
    check_described(folder / "components.json", found.facts)
    if found.points.empty:
        raise InputError(
            "the file holds no patient",
            where=str(folder / "components.csv"),
            expected="a row for each test patient and component",
            todo="run `ccl components` again",
        )
    return found


def draw_one(item: Components) -> Figure:
    """Draw Figure 8 of one model on one cohort."""
    title = f"Knowledge components: {item.model} with {item.encoder} on {item.cohort}"
    return draw_components([item], title, [*item.notes, *item.caveats])


def draw_components(items: Sequence[Components], title: str, notes: Sequence[str]) -> Figure:
    """Draw every fold of a model, each cohort in its own rows (Figure 8).

    Parameters
    ----------
    items : sequence of Components
        One for each cohort, all with the same components.
    title, notes
        Heading of the figure.
    """
    folds = {item.cohort: [rows for _, rows in item.points.groupby("fold")] for item in items}
    columns = min(MOST_COLUMNS, max(map(len, folds.values())))
    side = min(LARGEST_PANEL_IN, (PAGE_IN - 0.3) / columns)
    rows = sum(math.ceil(len(each) / columns) for each in folds.values())
    handles = _legend(items)
    legend_rows = len(handles) // LEGEND_COLUMNS
    figure = panel(max(5.6, 0.3 + side * columns), 0.55 + 0.19 * legend_rows + (side + 0.12) * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    start = 0
    for cohort, tables in folds.items():
        height = math.ceil(len(tables) / columns)
        places = grid[start : start + height].ravel()
        for axes, table in zip(places, tables, strict=False):
            _panel(axes, table, size=10.0 if columns > 3 else 16.0)
        for axes in places[len(tables) :]:
            axes.set_visible(False)
        for axes in grid[start : start + height, 0]:
            axes.set_ylabel(cohort, fontsize=9, fontweight="bold", color=INK)
        start += height
    set_heading(figure, title, notes)
    figure.legend(handles=handles, loc="outside lower left", ncols=LEGEND_COLUMNS, columnspacing=1.2, handletextpad=0.3)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, *, size: float) -> None:
    """Draw one fold, without ticks: only which points are near each other means something in t-SNE."""
    components = list(table["component"].unique())
    colours = colours_of(components)
    for (component, group, censored), points in table.groupby(["component", "group", "censorship"], sort=False):
        colour = colours[str(component)]
        area = size * (HALO if component == components[0] else 1)
        axes.scatter(
            points["x"], points["y"], s=area, marker=_marker(int(str(group))), linewidths=0.7,
            facecolors="none" if censored else colour, edgecolors=colour, alpha=0.75,
        )  # fmt: skip
    axes.set_title(f"fold {table['fold'].iloc[0]}", fontsize=8.5, color=MUTED, pad=3)
    axes.set(xticks=[], yticks=[], box_aspect=1)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=GRID)


def colours_of(components: Sequence[str]) -> dict[str, str]:
    """Return the colour of each component; the second and later ones of a kind are lighter."""
    found = {}
    for name in components:
        kind, _, number = name.rpartition(" ")
        base, place = (COLOURS.get(kind or name, MUTED), int(number) - 1) if kind else (COLOURS.get(name, MUTED), 0)
        red, green, blue = (1 - 0.6**place * (1 - part) for part in to_rgb(base))
        found[name] = to_hex((red, green, blue))
    return found


def _marker(group: int) -> str:
    return MARKERS[(group - 1) % len(MARKERS)]


def _legend(items: Sequence[Components]) -> list[Line2D]:
    """Return the handles of the legend in full rows: components, groups, and died or censored."""
    components = list(dict.fromkeys(name for item in items for name in item.points["component"]))
    groups = sorted({int(group) for item in items for group in item.points["group"]})
    by_marker: dict[str, list[int]] = {}
    for group in groups:
        by_marker.setdefault(_marker(group), []).append(group)
    kind = "group" if items[0].facts["groups"] == "guidance" else "interval"
    words = {groups[0]: " (dies first)", groups[-1]: " (lives longest)"} if len(groups) > 1 else {}
    rows = [
        [_handle(name, "o", colour, colour) for name, colour in colours_of(components).items()],
        [
            _handle(f"{kind} {', '.join(map(str, same))}{words.get(same[-1], '')}", marker, INK, "none")
            for marker, same in by_marker.items()
        ],
        [_handle("filled: died", "o", INK, INK), _handle("hollow: censored", "o", INK, "none")],
    ]
    lines = [row[at : at + LEGEND_COLUMNS] for row in rows for at in range(0, len(row), LEGEND_COLUMNS)]
    whole = [line + [Line2D([], [], linestyle="none", label=" ")] * (LEGEND_COLUMNS - len(line)) for line in lines]
    # Matplotlib fills a legend column by column.
    return [line[column] for column in range(LEGEND_COLUMNS) for line in whole]


def _handle(label: str, marker: str, colour: str, face: str) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=5, color=colour, markerfacecolor=face, label=label
    )
