"""The tables of the report: one data frame each, written as CSV and shown on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from ccl.evaluate import PROTOCOLS
from ccl.report.gather import Cohort, Evaluation
from ccl.report.published import COHORTS, OVERALL, plain_name, published

NAMES = ["cohort", "encoder", "model"]


def make_tables(cohorts: Sequence[Cohort]) -> dict[str, pd.DataFrame]:
    """Return every table of the report by the name of its file."""
    tables = {
        "c_index": c_index(cohorts),
        "c_index_folds": _per_protocol(cohorts, FOLD_COLUMNS, lambda found: found["folds"]),
        "kaplan_meier": _per_protocol(cohorts, LOG_RANK_COLUMNS, lambda found: [found["kaplan_meier"]]),
        "t_test": _per_protocol(cohorts, T_TEST_COLUMNS, lambda found: [found["t_test"]]),
        "cohorts": cohort_counts(cohorts),
        "excluded_slides": excluded_slides(cohorts),
        "left_out_patients": left_out_patients(cohorts),
    }
    compared = published_beside(cohorts)
    return tables | ({"published": compared} if len(compared) else {})


FOLD_COLUMNS = ["fold", "seed", "epoch", "c_index", "n_test", "n_events"]
LOG_RANK_COLUMNS = ["cut", "n_high", "n_low", "log_rank_statistic", "log_rank_p"]
T_TEST_COLUMNS = ["split_months", "split_from", "n_short", "n_long", "n_unknown", "t", "p"]


def evaluations_of(cohorts: Sequence[Cohort]) -> list[Evaluation]:
    """Return all evaluations, cohort by cohort."""
    return [evaluation for cohort in cohorts for evaluation in cohort.evaluations]


def c_index(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the headline: a row for each cohort, method and protocol, labelled with where its data come from."""
    rows = []
    for evaluation in evaluations_of(cohorts):
        for protocol in PROTOCOLS:
            found = evaluation.facts["protocols"][protocol]
            scored = {row["fold"]: row["c_index"] is not None for row in found["folds"]}
            rows.append(
                {
                    **_names(evaluation),
                    "protocol": protocol,
                    "c_index": found["mean"],
                    "std": found["std"],
                    "pooled": found["pooled"],
                    "folds": sum(scored.values()),
                    "folds_without": sum(not scored[fold] for fold in scored),
                    "data": "synthetic" if evaluation.synthetic else "real",
                    "weights": evaluation.facts["weights"],
                }
            )
    return pd.DataFrame(rows)


def _names(evaluation: Evaluation) -> dict[str, str]:
    return {name: str(evaluation.facts[name]) for name in NAMES}


def _per_protocol(
    cohorts: Sequence[Cohort], columns: list[str], rows_of: Callable[[Any], list[dict[str, Any]]]
) -> pd.DataFrame:
    rows = [
        {**_names(evaluation), "protocol": protocol, **row}
        for evaluation in evaluations_of(cohorts)
        for protocol in PROTOCOLS
        for row in rows_of(evaluation.facts["protocols"][protocol])
    ]
    return pd.DataFrame(rows, columns=[*NAMES, "protocol", *columns])


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


def published_beside(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return the published C-index of every cohort and method that the publication has, none for synthetic patients."""
    rows = []
    for evaluation in evaluations_of(cohorts):
        cell = None if evaluation.synthetic else published(evaluation.model, evaluation.encoder, evaluation.cohort)
        if cell is not None:
            found = evaluation.facts["protocols"]["best-on-test"]
            rows.append(
                {
                    **_names(evaluation),
                    "protocol": "best-on-test",
                    "c_index": found["mean"],
                    "std": found["std"],
                    "published_method": cell.method,
                    "published_c_index": cell.mean,
                    "published_std": cell.std,
                }
            )
    return pd.DataFrame(rows)


def headline(cohorts: Sequence[Cohort]) -> list[dict[str, Any]]:
    """Return the rows of the page's first table: methods down, cohorts and protocols across.

    Returns
    -------
    list of dict
        ``model``, ``encoder``, ``caveats``, ``published`` (the publication's name of the method in a row of
        published numbers, else empty), ``cells`` (for each cohort its numbers by protocol, as ``mean`` and ``std``) and
        ``overall`` (mean over the cohorts by protocol; None unless every cohort has a number).
    """
    found = {(e.model, e.encoder, e.cohort): e for e in evaluations_of(cohorts)}
    rows = []
    for model, encoder in dict.fromkeys((model, encoder) for model, encoder, _ in found):
        mine = [found.get((model, encoder, cohort.name)) for cohort in cohorts]
        cells = [evaluation.facts["protocols"] if evaluation else {} for evaluation in mine]
        caveats = dict.fromkeys(label for evaluation in mine if evaluation for label in evaluation.caveats)
        rows.append(
            {
                "model": model,
                "encoder": encoder,
                "caveats": list(caveats),
                "published": "",
                "cells": cells,
                "overall": {name: _mean([cell.get(name, {}).get("mean") for cell in cells]) for name in PROTOCOLS},
            }
        )
        theirs = [published(model, encoder, e.cohort) if e and not e.synthetic else None for e in mine]
        names = [cell.method for cell in theirs if cell]
        if names:
            same = sorted(plain_name(cohort.name) for cohort in cohorts) == sorted(COHORTS)
            overall = published(model, encoder, OVERALL) if same and all(theirs) else None
            rows.append(
                {
                    "model": model,
                    "encoder": encoder,
                    "caveats": [],
                    "published": names[0],
                    "cells": [{"best-on-test": vars(cell)} if cell else {} for cell in theirs],
                    "overall": {"best-on-test": overall.mean if overall else None},
                }
            )
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None
