"""Figures of a validation: survival by group, calibration, and decision curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ccl.pages.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, caveats, panel, set_heading, set_title
from ccl.results.figures import survival_of_groups
from ccl.validate.scores import PREDICTED, RECALIBRATED

VERSIONS: Mapping[str, tuple[str, str, Any, str]] = {
    PREDICTED: ("as predicted", BLUE, "-", "o"),
    RECALIBRATED: ("recalibrated on the new cohort", ORANGE, (0, (5, 1.2)), "s"),
}
"""Label, colour, dashes and marker of the versions of predicted survival."""

CURVES: Mapping[str, tuple[str, str, Any]] = {
    **{name: own[:3] for name, own in VERSIONS.items()},
    "clinical": ("covariates", GREEN, (0, (1, 1))),
    "both": ("covariates and model", PURPLE, (0, (3, 1, 1, 1))),
    "all": ("treat all", MUTED, "-"),
    "none": ("treat nobody", INK, "-"),
}
"""Label, colour and dashes of each decision curve."""


def draw_validation(facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, Figure, str]]:
    """Yield name, figure and alt text of every figure of a validation."""
    title = f"{facts['model']} on {facts['cohort']}"
    notes = ["external validation", *caveats(facts)]
    groups = facts["groups"]
    yield (
        "kaplan_meier",
        _kaplan_meier(tables, groups["log_rank_p"], title, notes),
        f"Kaplan-Meier curves of {groups['n_high']} patients of high and {groups['n_low']} of low predicted risk.",
    )
    if tables["calibration"]["observed"].notna().any():
        alt = "Predicted against observed survival, as listed in the file calibration.csv."
        yield "calibration", _calibration(tables["calibration"], title, notes), alt
    if len(tables["benefit"]):
        yield "benefit", _benefit(tables["benefit"], title, notes), "Net benefit, as listed in the file benefit.csv."


def _kaplan_meier(tables: Mapping[str, pd.DataFrame], p: float | None, title: str, notes: list[str]) -> Figure:
    figure = panel()
    axes = survival_of_groups(figure, tables["risks"], tables["curves"], p)
    set_title(axes, title, ["groups by the cut of the training", *notes])
    return figure


def _calibration(table: pd.DataFrame, title: str, notes: list[str]) -> Figure:
    """Draw a panel for each time, and a line for each version."""
    known = table.dropna(subset=["observed"])
    times = sorted(known["months"].unique())
    figure = panel(max(3.6, 2.6 * len(times)), 3.3)
    places = figure.subplots(1, len(times), squeeze=False, sharey=True)[0]
    for axes, month in zip(places, times, strict=True):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        for version, (label, colour, dashes, marker) in VERSIONS.items():
            rows = known[(known["months"] == month) & (known["version"] == version)]
            if rows.empty:
                continue
            errors = [(rows["observed"] - rows["lower"]).to_numpy(), (rows["upper"] - rows["observed"]).to_numpy()]
            axes.errorbar(
                rows["predicted"], rows["observed"], yerr=errors, color=colour, marker=marker, markersize=5,
                linestyle=dashes, linewidth=1.2, elinewidth=0.8, capsize=2, label=label,
            )  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=f"Predicted survival\nat {month:g} months")
    places[0].set_ylabel("Observed survival")
    figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    set_heading(figure, title, notes)
    return figure


def _benefit(table: pd.DataFrame, title: str, notes: list[str]) -> Figure:
    """Draw decision curves, a panel for each time."""
    times = table["months"].unique()
    figure = panel(max(3.6, 2.6 * len(times)), 3.3)
    places = figure.subplots(1, len(times), squeeze=False)[0]
    shown = [name for name in CURVES if name in table]
    for axes, month in zip(places, times, strict=True):
        rows = table[table["months"] == month]
        for name in shown:
            label, colour, dashes = CURVES[name]
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
