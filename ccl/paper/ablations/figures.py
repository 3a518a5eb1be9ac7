"""The figure: every point as its difference to the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ccl.evaluate import PROTOCOLS, Protocol
from ccl.pages.style import BLUE, INK, MUTED, ORANGE, PAPER, panel, set_title
from ccl.paper.ablations.tables import Cell, caveats
from ccl.report.figures import PROTOCOL_WORDS

MARKS: dict[Protocol, tuple[str, str, str, float]] = {
    "last": ("o", BLUE, BLUE, 0.15),
    "best-on-test": ("s", ORANGE, PAPER, -0.15),
}
"""Of each protocol: marker, colour, filling, and how far above its row it stands."""

PUBLISHED: dict[str, Any] = {"marker": "D", "markersize": 4.5, "color": INK, "label": "published, best-on-test"}


def differences(tables: Sequence[tuple[str, Sequence[Cell]]], title: str) -> Figure:
    """Draw the difference of every point to the default, with its 95 % interval, under both protocols.

    Parameters
    ----------
    tables : sequence of pairs
        For each table its short title and its cells on one cohort (or over all) with one encoder.
    title : str
        What heads the figure.
    """
    heights: dict[tuple[str, str], float] = {}
    heads: list[tuple[str, float]] = []
    height = 0.0
    for name, cells in tables:
        heads.append((name, height))
        points = dict.fromkeys(cell.point for cell in cells if cell.difference is not None)
        heights |= {(name, point): height - 1 - row for row, point in enumerate(points)}
        height -= len(points) + 1.4
    figure = panel(5.6, 1.5 - 0.24 * height)
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=0.9)
    for name, cells in tables:
        for cell in cells:
            if cell.difference is not None:
                _draw(axes, heights[name, cell.point], cell)
    for name, place in heads:
        axes.annotate(
            name, (0, place), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8.5, fontweight="bold", color=MUTED,
        )  # fmt: skip
    axes.set_yticks(list(heights.values()), [point for _, point in heights])
    axes.tick_params(axis="y", length=0)
    axes.set(ylim=(height + 0.9, 0.8), xlabel="C-index, difference to the default (right: better), 95 % interval")
    set_title(axes, title, caveats([cell for _, cells in tables for cell in cells]))
    handles = [_handle(protocol) for protocol in PROTOCOLS]
    if any(cell.published_difference is not None for _, cells in tables for cell in cells):
        handles.append(Line2D([], [], linestyle="none", **PUBLISHED))
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _draw(axes: Axes, height: float, cell: Cell) -> None:
    marker, colour, face, above = MARKS[cell.protocol]
    assert cell.difference is not None, "only points are drawn"
    if cell.lower is not None and cell.upper is not None:
        axes.plot([cell.lower, cell.upper], [height + above] * 2, color=colour, linewidth=1.3)
    axes.plot(
        [cell.difference], [height + above], marker=marker, markersize=5, color=colour, markerfacecolor=face,
        markeredgewidth=1.2, linestyle="none",
    )  # fmt: skip
    if cell.published_difference is not None:
        axes.plot([cell.published_difference], [height + above], linestyle="none", **PUBLISHED)


def _handle(protocol: Protocol) -> Line2D:
    marker, colour, face, _ = MARKS[protocol]
    return Line2D(
        [], [], marker=marker, markersize=6, color=colour, markerfacecolor=face, markeredgewidth=1.2, linewidth=1.3,
        label=PROTOCOL_WORDS[protocol],
    )  # fmt: skip
