"""Figures 6 and 7 with a panel for each cohort."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure

from ccl.evaluate import Protocol
from ccl.pages.style import INK, PAGE_IN, panel, set_heading
from ccl.report import figures
from ccl.results.gather import Evaluation

ALONE = {"6": figures.kaplan_meier, "7": figures.t_test}
PANELS = {"6": figures.kaplan_meier_panel, "7": figures.t_test_panel}
TITLES = {
    "6": "Survival of risk groups (p: log-rank test)",
    "7": "Predicted risk of early deaths and of survivors (Welch's t-test)",
}


def judged(number: str, evaluations: Sequence[Evaluation], protocol: Protocol) -> Figure:
    """Draw Figure 6 or 7 of one model, a panel for each cohort that it was judged on.

    Parameters
    ----------
    number : {"6", "7"}
    evaluations : sequence of Evaluation
        Of one model and encoder, one a cohort.
    protocol : str
        Whose risks are shown.
    """
    if len(evaluations) == 1:
        return ALONE[number](evaluations[0], protocol)
    count = len(evaluations)
    columns = 2 if count in (2, 4) else 3
    rows = math.ceil(count / columns)
    figure = panel(PAGE_IN, 0.65 + (2.75 if columns == 2 else 2.55) * rows)
    places = figure.subfigures(rows, columns, squeeze=False, wspace=0.02).ravel()
    for place, evaluation in zip(places, evaluations, strict=False):
        axes = PANELS[number](place, evaluation, protocol, small=True)
        axes.set_title(evaluation.cohort, fontsize=9, fontweight="bold", color=INK)
    first = evaluations[0]
    encoder = "" if first.encoder == "none" else f" with {first.encoder}"
    notes = [figures.PROTOCOL_WORDS[protocol], *shared_caveats((e.cohort, e.caveats) for e in evaluations)]
    set_heading(figure, f"{TITLES[number]}: {first.label}{encoder}", notes)
    if number == "6":
        figure.legend(handles=figures.group_legend(), loc="outside lower center", ncols=2)
    return figure


def shared_caveats(cohorts: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Return the caveats of several cohorts, each with the cohorts that it holds for, unless these are all.

    >>> shared_caveats([("a", ["synthetic data"]), ("b", [])])
    ['synthetic data (a)']
    """
    holds: dict[str, list[str]] = {}
    names = []
    for cohort, caveats in cohorts:
        names.append(cohort)
        for caveat in caveats:
            holds.setdefault(caveat, []).append(cohort)
    return [caveat if held == names else f"{caveat} ({', '.join(held)})" for caveat, held in holds.items()]
