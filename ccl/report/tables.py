"""The tables of the report: one data frame each, written as CSV and shown on the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ccl.paper.ablations.published import published as published_ablation
from ccl.report.comparisons import comparisons
from ccl.results.gather import PROTOCOLS_SHOWN, Cohort, Evaluation
from ccl.results.published import COHORTS, OVERALL, comparable, plain_name, published, published_beside

NAMES = ["cohort", "encoder", "model", "method"]


def make_tables(cohorts: Sequence[Cohort]) -> dict[str, pd.DataFrame]:
    """Return every table of the report by the name of its file."""
    tables = {
        "c_index": c_index(cohorts),
        "c_index_folds": _per_protocol(cohorts, FOLD_COLUMNS, lambda found: found["folds"]),
        "kaplan_meier": _per_protocol(cohorts, LOG_RANK_COLUMNS, lambda found: [found["kaplan_meier"]]),
        "statistics": _per_protocol(cohorts, STATISTICS_COLUMNS, lambda found: [_statistics(found)]),
        "times": _per_protocol(cohorts, TIMES_COLUMNS, lambda found: found["months"]),
        "t_test": _per_protocol(cohorts, T_TEST_COLUMNS, lambda found: [found["t_test"]]),
        "alignment": alignment(cohorts),
        "comparisons": comparisons(cohorts),
        "cohorts": cohort_counts(cohorts),
        "excluded_slides": excluded_slides(cohorts),
        "left_out_patients": left_out_patients(cohorts),
        "inputs": inputs(cohorts),
    }
    compared = compare_published(cohorts)
    return tables | ({"published": compared} if len(compared) else {})


FOLD_COLUMNS = ["fold", "seed", "epoch", "c_index", "n_test", "n_events"]
LOG_RANK_COLUMNS = [
    "cut", "n_high", "n_low", "log_rank_statistic", "log_rank_p",
    "hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper",
]  # fmt: skip
STATISTICS_COLUMNS = [
    "pooled", "lower", "upper", "uno", "tau_months", "integrated_brier", "integrated_brier_kaplan_meier", "brier_skill",
    "from_months", "to_months",
]  # fmt: skip
TIMES_COLUMNS = ["months", "n_dead", "n_alive", "auc", "brier", "brier_kaplan_meier", "reason"]
T_TEST_COLUMNS = ["split_months", "split_from", "n_short", "n_long", "n_unknown", "t", "p"]


def evaluations_of(cohorts: Sequence[Cohort]) -> list[Evaluation]:
    """Return all evaluations, cohort by cohort."""
    return [evaluation for cohort in cohorts for evaluation in cohort.evaluations]


def protocols_of(cohorts: Sequence[Cohort]) -> list[str]:
    """Return the protocols that any evaluation has, in the order of every table."""
    found = {name for evaluation in evaluations_of(cohorts) for name in evaluation.protocols}
    return [name for name in PROTOCOLS_SHOWN if name in found]


def c_index(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the headline: a row for each cohort, method and protocol, labelled with where its data come from.

    Where a method was trained with several seeds there are two columns more: how many, and the spread over them.
    """
    evaluations = evaluations_of(cohorts)
    several = any(len(evaluation.seeds) > 1 for evaluation in evaluations)
    rows = []
    for evaluation in evaluations:
        for protocol, found in evaluation.facts["protocols"].items():
            scored = {row["fold"]: row["c_index"] is not None for row in found["folds"]}
            rows.append(
                {
                    **_names(evaluation),
                    "protocol": protocol,
                    "c_index": found["mean"],
                    "std": found["std"],
                    **({"seeds": len(found["seeds"]), "std_over_seeds": found["std_over_seeds"]} if several else {}),
                    "pooled": found["pooled"],
                    "folds": sum(scored.values()),
                    "folds_without": sum(not scored[fold] for fold in scored),
                    **_origin(evaluation),
                }
            )
    return pd.DataFrame(rows)


def _names(evaluation: Evaluation) -> dict[str, str]:
    return {name: str(evaluation.facts[name]) for name in NAMES}


def _statistics(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the pooled out-of-fold risks of one protocol say, in one row."""
    interval, uno, brier = found["pooled_interval"], found["uno"], found["integrated_brier"]
    return {
        "pooled": found["pooled"],
        "lower": interval["lower"],
        "upper": interval["upper"],
        "uno": uno["c_index"],
        "tau_months": uno["tau_months"],
        "integrated_brier": brier["score"],
        "integrated_brier_kaplan_meier": brier["kaplan_meier"],
        "brier_skill": brier["skill"],
        "from_months": brier["from_months"],
        "to_months": brier["to_months"],
    }


def _per_protocol(
    cohorts: Sequence[Cohort], columns: list[str], rows_of: Callable[[Any], list[dict[str, Any]]]
) -> pd.DataFrame:
    rows = [
        {**_names(evaluation), "protocol": protocol, **row}
        for evaluation in evaluations_of(cohorts)
        for protocol, found in evaluation.facts["protocols"].items()
        for row in rows_of(found)
    ]
    return pd.DataFrame(rows, columns=[*NAMES, "protocol", *columns])


WHEN = ("before", "after")
ALIGNMENT_COLUMNS = [
    "empty_clusters", "distance_before", "distance_after", "published_before", "published_after", "data", "weights",
]  # fmt: skip


def alignment(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return how many clusters are empty, and how far apart the centres are that alignment puts in one place (Table V).

    A row for each evaluation that reads clusters; one without alignment has no distances.  The publication's are of
    ResNet-50 features.
    """
    rows = []
    for evaluation in evaluations_of(cohorts):
        if evaluation.facts["k"] is not None:
            theirs = evaluation.method == "ccl" and evaluation.encoder == "resnet50" and comparable(evaluation)
            rows.append(
                {
                    **_names(evaluation),
                    "empty_clusters": evaluation.facts["empty_clusters"],
                    **{f"distance_{when}": evaluation.facts[f"distance_{when}_alignment"] for when in WHEN},
                    **{
                        f"published_{when}": published_ablation(when, evaluation.cohort) if theirs else None
                        for when in WHEN
                    },
                    **_origin(evaluation),
                }
            )
    return pd.DataFrame(rows, columns=[*NAMES, *ALIGNMENT_COLUMNS])


def _origin(evaluation: Evaluation) -> dict[str, str]:
    """Return where the data of an evaluation come from, for the table that it stands in."""
    return {"data": evaluation.data, "weights": str(evaluation.facts["weights"])}


def cohort_counts(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the cohorts' patients, events, slides and follow-up, and their folds."""
    rows = [
        {
            "cohort": cohort.name,
            "patients": cohort.summary["patients"],
            "events": cohort.summary["events"],
            "censored_share": cohort.summary["censored_share"],
            "slides": cohort.summary["slides"],
            "patients_without_slides": len(cohort.summary["patients_without_slides"]),
            "median_follow_up_months": cohort.summary["median_follow_up_months"],
            "months_max": cohort.summary["months_max"],
            **fold,
        }
        for cohort in cohorts
        for fold in cohort.summary["folds"]
    ]
    return pd.DataFrame(rows)


def excluded_slides(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the slides that the cohorts go on without."""
    rows = [
        (cohort.name, slide.slide_id, slide.reason) for cohort in cohorts for slide in cohort.slides if slide.reason
    ]
    return pd.DataFrame(rows, columns=["cohort", "slide_id", "reason"])


def left_out_patients(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the patients that a method could not use."""
    rows = [
        {**_names(evaluation), "patient_id": patient, "reason": reason}
        for evaluation in evaluations_of(cohorts)
        for patient, reason in evaluation.facts["left_out"].items()
    ]
    return pd.DataFrame(rows, columns=[*NAMES, "patient_id", "reason"])


def inputs(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the files that the cohorts rest on, with their SHA-256."""
    rows = [{"cohort": cohort.name, **vars(file)} for cohort in cohorts for file in cohort.inputs]
    return pd.DataFrame(rows, columns=["cohort", "what", "file", "sha256"])


def compare_published(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the published C-index of every evaluation that the publication has one to compare with."""
    rows = []
    for evaluation in evaluations_of(cohorts):
        cell = published_beside(evaluation)
        if cell is not None:
            found = evaluation.facts["protocols"]["best-on-test"]
            rows.append(
                {
                    **_names(evaluation),
                    "protocol": "best-on-test",
                    "c_index": found["mean"],
                    "std": found["std"],
                    "published_method": cell.name,
                    "published_c_index": cell.mean,
                    "published_std": cell.std,
                }
            )
    return pd.DataFrame(rows)


def headline(cohorts: Sequence[Cohort]) -> list[dict[str, Any]]:
    """Return the rows of the page's first table: models down, cohorts and protocols across.

    Models of one method and encoder stand together, and below them the published numbers that compare with them.

    Returns
    -------
    list of dict
        ``model``, ``method``, ``encoder``, ``caveats``, ``published`` (the publication's name of the method in a row of
        published numbers, else empty), ``cells`` (for each cohort its numbers by protocol, as ``mean``, ``std`` and in
        one's own rows more) and ``overall`` (mean over the cohorts by protocol; None unless every cohort has a number).
    """
    found = {(e.method, e.encoder, e.model, e.cohort): e for e in evaluations_of(cohorts)}
    groups: dict[tuple[str, str], dict[str, list[Evaluation | None]]] = {}
    for method, encoder, model, _ in found:
        places = [found.get((method, encoder, model, cohort.name)) for cohort in cohorts]
        groups.setdefault((method, encoder), {})[model] = places
    rows, protocols = [], protocols_of(cohorts)
    for (method, encoder), models in groups.items():
        rows += [_own_row(model, method, encoder, mine, protocols) for model, mine in models.items()]
        theirs = _published_row(method, encoder, cohorts, list(models.values()))
        rows += [theirs] if theirs else []
    return rows


def _own_row(
    model: str, method: str, encoder: str, mine: Sequence[Evaluation | None], protocols: Sequence[str]
) -> dict[str, Any]:
    cells = [evaluation.facts["protocols"] if evaluation else {} for evaluation in mine]
    return {
        "model": model,
        "method": method,
        "encoder": encoder,
        "caveats": list(dict.fromkeys(label for evaluation in mine if evaluation for label in evaluation.caveats)),
        "published": "",
        "cells": cells,
        "overall": {name: _mean([cell.get(name, {}).get("mean") for cell in cells]) for name in protocols},
    }


def _published_row(
    method: str, encoder: str, cohorts: Sequence[Cohort], models: Sequence[Sequence[Evaluation | None]]
) -> dict[str, Any] | None:
    """Return the published numbers below some models of one method, a cell where one of them compares, or None."""
    cells = [
        next((cell for evaluation in place if evaluation and (cell := published_beside(evaluation))), None)
        for place in zip(*models, strict=True)
    ]
    names = [cell.name for cell in cells if cell]
    if not names:
        return None
    same = sorted(plain_name(cohort.name) for cohort in cohorts) == sorted(COHORTS)
    overall = published(method, encoder, OVERALL) if same and all(cells) else None
    return {
        "model": "",
        "method": method,
        "encoder": encoder,
        "caveats": [],
        "published": names[0],
        "cells": [{"best-on-test": vars(cell)} if cell else {} for cell in cells],
        "overall": {"best-on-test": overall.mean if overall else None},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None
