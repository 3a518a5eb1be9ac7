"""Figures of a validation: survival by group, calibration, and decision curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ccl.pages.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, caveats, panel, set_title
from ccl.results.figures import survival_of_groups
from ccl.results.panels import Look, draw_benefits, draw_calibrations
from ccl.validate.scores import PREDICTED, RECALIBRATED

VERSIONS: Mapping[str, tuple[Look, str]] = {
    PREDICTED: (("as predicted", BLUE, "-"), "o"),
    RECALIBRATED: (("recalibrated on the new cohort", ORANGE, (0, (5, 1.2))), "s"),
}
"""Look and marker of the versions of predicted survival."""

CURVES: Mapping[str, Look] = {
    **{name: look for name, (look, _) in VERSIONS.items()},
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
    if (calibration := draw_calibrations(tables["calibration"], "version", VERSIONS, title, notes)) is not None:
        alt = "Predicted against observed survival, as listed in the file calibration.csv."
        yield "calibration", calibration, alt
    if len(tables["benefit"]):
        alt = "Net benefit, as listed in the file benefit.csv."
        yield "benefit", draw_benefits(tables["benefit"], CURVES, title, notes), alt


def _kaplan_meier(tables: Mapping[str, pd.DataFrame], p: float | None, title: str, notes: list[str]) -> Figure:
    figure = panel()
    axes = survival_of_groups(figure, tables["risks"], tables["curves"], p)
    set_title(axes, title, ["groups by the cut of the training", *notes])
    return figure
