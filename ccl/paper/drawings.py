"""The figures: 6, 7 and 8 with a panel for each cohort, and every point of the ablations against the default."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ccl.evaluate import PROTOCOLS, Protocol
from ccl.pages.style import BLUE, INK, MUTED, ORANGE, PAGE_IN, PAPER, panel, set_heading, set_title
from ccl.results.cells import Cell
from ccl.results.components import Components, draw_components
from ccl.results.described import Described
from ccl.results.figures import PANELS, PROTOCOL_WORDS, draw, group_legend
from ccl.results.gather import Evaluation, caveats_of

TITLES = {
    "kaplan_meier": "Survival of risk groups (p: log-rank test)",
    "t_test": "Predicted risk of early deaths and of survivors (Welch's t-test)",
}

MARKS: dict[str, tuple[str, str, str, float]] = {
    "last": ("o", BLUE, BLUE, 0.15),
    "best-on-test": ("s", ORANGE, PAPER, -0.15),
}
"""Marker, colour, filling and height above its row of each protocol."""

PUBLISHED: dict[str, Any] = {"marker": "D", "markersize": 4.5, "color": INK, "label": "published, best-on-test"}


def draw_cohorts(kind: str, evaluations: Sequence[Evaluation], protocol: Protocol) -> Figure:
    """Draw Figure 6 or 7 of one model, with a panel for each cohort.

    Parameters
    ----------
    kind : {"kaplan_meier", "t_test"}
        What the panels show.
    evaluations : sequence of Evaluation
        Evaluations of one model and encoder, one for each cohort.
    protocol : str
        Protocol of the risks that are shown.
    """
    if len(evaluations) == 1:
        return draw(kind, evaluations[0], protocol)
    count = len(evaluations)
    columns = 2 if count in (2, 4) else 3
    rows = math.ceil(count / columns)
    figure = panel(PAGE_IN, 0.65 + (2.75 if columns == 2 else 2.55) * rows)
    places = figure.subfigures(rows, columns, squeeze=False, wspace=0.02).ravel()
    for place, evaluation in zip(places, evaluations, strict=False):
        axes = PANELS[kind](place, evaluation, protocol, small=True)
        axes.set_title(evaluation.cohort, fontsize=9, fontweight="bold", color=INK)
    notes = [PROTOCOL_WORDS[protocol], *shared_caveats(evaluations)]
    set_heading(figure, f"{TITLES[kind]}: {evaluations[0].title}", notes)
    if kind == "kaplan_meier":
        figure.legend(handles=group_legend(), loc="outside lower center", ncols=2)
    return figure


def draw_components_of(items: Sequence[Components]) -> Figure:
    """Draw Figure 8 of one model, with rows for each cohort."""
    first = items[0]
    notes = [*first.notes, *shared_caveats(items)]
    return draw_components(items, f"Knowledge components: {first.model} with {first.encoder}", notes)


def shared_caveats(items: Sequence[Described]) -> list[str]:
    """Return the caveats of several cohorts; a caveat that holds only for some names them."""
    holds: dict[str, list[str]] = {}
    for item in items:
        for caveat in item.caveats:
            holds.setdefault(caveat, []).append(item.cohort)
    return [caveat if len(held) == len(items) else f"{caveat} ({', '.join(held)})" for caveat, held in holds.items()]


def draw_differences(tables: Sequence[tuple[str, Sequence[Cell]]], title: str) -> Figure:
    """Draw the difference of every point to the default, with its 95 % interval, under both protocols.

    Parameters
    ----------
    tables : sequence of pairs
        For each table its short title and its cells of one cohort (or of the mean over all) with one encoder.
    title : str
        Heading of the figure.
    """
    heights: dict[tuple[str, str], float] = {}
    heads: list[tuple[str, float]] = []
    height = 0.0
    for name, cells in tables:
        heads.append((name, height))
        points = dict.fromkeys(cell["point"] for cell in cells if cell["difference"] is not None)
        heights |= {(name, point): height - 1 - row for row, point in enumerate(points)}
        height -= len(points) + 1.4
    figure = panel(5.6, 1.5 - 0.24 * height)
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=0.9)
    every = [(name, cell) for name, cells in tables for cell in cells]
    for name, cell in every:
        if cell["difference"] is not None:
            _draw_point(axes, heights[name, cell["point"]], cell)
    for name, place in heads:
        axes.annotate(
            name, (0, place), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8.5, fontweight="bold", color=MUTED,
        )  # fmt: skip
    axes.set_yticks(list(heights.values()), [point for _, point in heights])
    axes.tick_params(axis="y", length=0)
    axes.set(ylim=(height + 0.9, 0.8), xlabel="C-index, difference to the default (right: better), 95 % interval")
    set_title(axes, title, caveats_of(one for _, cell in every for one in cell["evaluations"]))
    handles = [_handle(protocol) for protocol in PROTOCOLS]
    if any(cell["published_difference"] is not None for _, cell in every):
        handles.append(Line2D([], [], linestyle="none", **PUBLISHED))
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _draw_point(axes: Axes, height: float, cell: Cell) -> None:
    marker, colour, face, above = MARKS[cell["protocol"]]
    if cell["lower"] is not None:
        axes.plot([cell["lower"], cell["upper"]], [height + above] * 2, color=colour, linewidth=1.3)
    axes.plot(
        [cell["difference"]], [height + above], marker=marker, markersize=5, color=colour, markerfacecolor=face,
        markeredgewidth=1.2, linestyle="none",
    )  # fmt: skip
    if cell["published_difference"] is not None:
        axes.plot([cell["published_difference"]], [height + above], linestyle="none", **PUBLISHED)


def _handle(protocol: Protocol) -> Line2D:
    marker, colour, face, _ = MARKS[protocol]
    return Line2D(
        [], [], marker=marker, markersize=6, color=colour, markerfacecolor=face, markeredgewidth=1.2, linewidth=1.3,
        label=PROTOCOL_WORDS[protocol],
    )  # fmt: skip
