"""Figures with a panel for each time: calibration, and decision curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccl.pages.style import MUTED, panel, set_heading

Look = tuple[str, str, Any]
"""Label, colour and dashes of a line."""


def calibration_line(axes: Axes, rows: pd.DataFrame, look: Look, marker: str) -> None:
    """Draw predicted against observed survival of some groups of patients, with the intervals of what was observed."""
    label, colour, dashes = look
    errors = [(rows["observed"] - rows["lower"]).to_numpy(), (rows["upper"] - rows["observed"]).to_numpy()]
    axes.errorbar(
        rows["predicted"], rows["observed"], yerr=errors, color=colour, marker=marker, markersize=5, linestyle=dashes,
        linewidth=1.2, elinewidth=0.8, capsize=2, label=label,
    )  # fmt: skip


def calibration_axes(axes: Axes, xlabel: str) -> None:
    """Draw the line of perfect calibration, and limit both axes to probabilities."""
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=xlabel)


def draw_calibrations(
    table: pd.DataFrame, by: str, looks: Mapping[str, tuple[Look, str]], title: str, notes: Sequence[str]
) -> Figure | None:
    """Draw calibration, a panel for each time and a line for each prediction; None if no survival was observed.

    Parameters
    ----------
    table : DataFrame
        ``months``, ``predicted``, ``observed``, ``lower``, ``upper`` and the column `by`.
    by : str
        The column that names the prediction.
    looks : mapping
        By its name: the look and the marker of each line.
    title, notes
        Of the figure.
    """
    known = table.dropna(subset=["observed"])
    times = sorted(known["months"].unique())
    if not times:
        return None
    figure = panel(max(3.6, 2.6 * len(times)), 3.3)
    places = figure.subplots(1, len(times), squeeze=False, sharey=True)[0]
    for axes, month in zip(places, times, strict=True):
        calibration_axes(axes, f"Predicted survival\nat {month:g} months")
        for name, (look, marker) in looks.items():
            rows = known[(known["months"] == month) & (known[by] == name)]
            if len(rows):
                calibration_line(axes, rows, look, marker)
    places[0].set_ylabel("Observed survival")
    figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    set_heading(figure, title, notes)
    return figure


def draw_benefits(table: pd.DataFrame, looks: Mapping[str, Look], title: str, notes: Sequence[str]) -> Figure:
    """Draw decision curves, a panel for each time.

    Parameters
    ----------
    table : DataFrame
        ``months``, ``threshold``, and the net benefit of each curve.
    looks : mapping
        Curves by column; those that the table lacks are left out.
    title, notes
        Of the figure.
    """
    times = table["months"].unique()
    figure = panel(max(3.4, 2.5 * len(times)), 3.1)
    places = figure.subplots(1, max(1, len(times)), squeeze=False)[0]
    shown = {name: look for name, look in looks.items() if name in table}
    for axes, month in zip(places, times, strict=False):
        rows = table[table["months"] == month]
        for name, (label, colour, dashes) in shown.items():
            width = 1.0 if name in ("all", "none") else 1.7
            axes.plot(rows["threshold"], rows[name], color=colour, linestyle=dashes, linewidth=width, label=label)
        highest = float(rows[[name for name in shown if name != "none"]].max().max())
        if highest > 0:
            axes.set_ylim(-0.25 * highest, 1.08 * highest)
        axes.set_xlabel(f"Threshold: risk of death\nby {month:g} months")
    places[0].set_ylabel("Net benefit")
    figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    set_heading(figure, title, notes)
    return figure
