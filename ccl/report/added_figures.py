"""Figures of what models add to clinical covariates: differences, calibration, decision curves, and sub-groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccl.added import ARMS
from ccl.added.words import headline_arm
from ccl.pages.numbers import format_p
from ccl.pages.style import BLUE, GREEN, INK, MUTED, ORANGE, PAPER, panel, set_heading, set_title
from ccl.report.figures import figure_name
from ccl.results.added import Added
from ccl.results.gather import Cohort, Evaluation, caveats_of
from ccl.results.panels import Look, draw_benefits, draw_calibrations

CURVES: Mapping[str, Look] = {
    "both": ("covariates and model", ORANGE, "-"),
    "clinical": ("covariates", BLUE, (0, (5, 1.2))),
    "model": ("model", GREEN, (0, (1, 1))),
    "all": ("treat all", MUTED, "-"),
    "none": ("treat nobody", INK, "-"),
}
"""Label, colour and dashes of each decision curve."""

ROW_IN = 0.27


def draw_added(cohorts: Sequence[Cohort]) -> Iterator[tuple[str, Figure, str]]:
    """Yield name, figure and alt text of every figure, all after the last epoch."""
    for cohort in cohorts:
        known = [(one, one.added) for one in cohort.evaluations if one.added is not None]
        judged = [(one, added) for one, added in known if not added.protocols["last"]["reason"]]
        if adding := [(one, added) for one, added in judged if one.reads != "covariates alone"]:
            alt = f"What each model adds to the covariates of {cohort.name}, as listed in the table above."
            yield f"added.{cohort.name}", draw_differences(cohort.name, adding), alt
        for evaluation, added in judged:
            if (calibration := draw_arm_calibration(evaluation, added)) is not None:
                alt = f"Calibration of {evaluation.full_title} and of the covariates, as listed in calibration.csv."
                yield figure_name(evaluation, "calibration_arms"), calibration, alt
            alt = f"Net benefit of {evaluation.full_title} and of the covariates, as listed in the file benefit.csv."
            yield figure_name(evaluation, "benefit"), draw_benefit(evaluation, added), alt
            if added.groups["c_index"].notna().any():
                alt = f"C-index of {evaluation.full_title} in sub-groups, as listed in the file groups.csv."
                yield figure_name(evaluation, "groups"), draw_groups(evaluation, added), alt


def draw_differences(cohort: str, adding: Sequence[tuple[Evaluation, Added]]) -> Figure:
    """Draw the difference of each model to the covariates, with its interval."""
    evaluations = [evaluation for evaluation, _ in adding]
    figure = panel(5.6, 1.5 + 1.5 * ROW_IN * len(adding))
    axes = figure.subplots()
    for place, (evaluation, added) in enumerate(adding):
        arm = headline_arm(evaluation.reads)
        gain = added.protocols["last"]["differences"][arm]
        if gain["lower"] is None:
            continue
        colour, face, marker = (ORANGE, ORANGE, "o") if arm == "both" else (BLUE, PAPER, "s")
        _interval(axes, -place, gain["difference"], gain, fmt=marker, markersize=6, color=colour, markerfacecolor=face)
    axes.axvline(0, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_yticks([-place for place in range(len(evaluations))], [one.title for one in evaluations])
    axes.grid(False, axis="y")
    axes.set(ylim=(-len(evaluations) + 0.4, 0.6), xlabel="Difference in C-index to the covariates alone, 95 % interval")
    notes = ["last epoch", "filled: covariates and model", "hollow: model that reads covariates"]
    set_heading(figure, f"What each model adds on {cohort}", [*notes, *caveats_of(evaluations)])
    return figure


def draw_arm_calibration(evaluation: Evaluation, added: Added) -> Figure | None:
    """Draw predicted against observed survival of each arm; None if nothing was predicted."""
    looks = {str(arm): (CURVES[arm], marker) for arm, marker in zip(ARMS, "osD", strict=True)}
    return draw_calibrations(_last(added.calibration), "arm", looks, evaluation.full_title, _notes(evaluation))


def draw_benefit(evaluation: Evaluation, added: Added) -> Figure:
    """Draw the decision curves of each arm."""
    return draw_benefits(_last(added.benefit), CURVES, evaluation.full_title, _notes(evaluation))


def _last(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["protocol"] == "last"]


def _notes(evaluation: Evaluation) -> list[str]:
    return ["last epoch", *evaluation.caveats]


def draw_groups(evaluation: Evaluation, added: Added) -> Figure:
    """Draw the C-index of the model in each sub-group with enough deaths."""
    groups = added.groups[(added.groups["protocol"] == "last") & added.groups["c_index"].notna()]
    tests = added.interactions[added.interactions["protocol"] == "last"].set_index("covariate")["p"]
    covariates = list(dict.fromkeys(groups["covariate"]))
    figure = panel(5.6, 1.1 + ROW_IN * (len(groups) + len(covariates)))
    axes = figure.subplots()
    labels: list[tuple[float, str]] = []
    for covariate in covariates:
        p = tests.get(covariate)
        labels.append((-len(labels), covariate if pd.isna(p) else f"{covariate} (interaction p {format_p(p)})"))
        for row in groups[groups["covariate"] == covariate].to_dict("records"):
            height = -len(labels)
            _interval(axes, height, row["c_index"], row, fmt="o", markersize=5, color=BLUE)
            labels.append((height, f"{row['group']}: {row['n_events']} deaths of {row['n_patients']}"))
    axes.axvline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_yticks([height for height, _ in labels], [text for _, text in labels])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set(ylim=(-len(labels) + 0.4, 0.6), xlabel="C-index of the model (dotted: chance)")
    set_title(axes, evaluation.full_title, _notes(evaluation))
    return figure


def _interval(axes: Axes, height: float, value: float, ends: Mapping[Any, float], **style: Any) -> None:
    """Draw a value with its interval from ``lower`` to ``upper``."""
    axes.errorbar([value], [height], xerr=[[value - ends["lower"]], [ends["upper"] - value]], capsize=3, **style)
