"""What models add to clinical covariates: the rows of the table, and the values of the page's section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ccl.added.rows import ARM_COLUMNS, TEST_COLUMNS, arm_columns, tested_columns
from ccl.added.words import SIGNIFICANT, against_one_curve, for_whom, headline_arm, sentence
from ccl.io.files import records
from ccl.report.figures import figure_name
from ccl.results.added import Added
from ccl.results.gather import PROTOCOLS_SHOWN, Cohort, Evaluation, caveats_of

ADDED = [
    "protocol", "n_patients", "n_events", "reads_covariates", *ARM_COLUMNS, "compared", "difference", "lower", "upper",
    *TEST_COLUMNS, "reason", "data", "weights",
]  # fmt: skip
"""Columns of ``added.csv`` after the names of the evaluation."""


def added_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the rows of an evaluation, one per protocol; none if its cohort has no covariates."""
    if evaluation.added is None:
        return []
    found = evaluation.added.protocols
    return [_row(evaluation, evaluation.added, name) for name in PROTOCOLS_SHOWN if name in found]


def _row(evaluation: Evaluation, added: Added, protocol: str) -> dict[str, Any]:
    """Return the numbers of one protocol.

    A model that reads the covariates is compared with them directly, without a fit of both, test and hazard ratio.
    What its risk says beyond the covariates is mostly how the networks of two folds differ, which depends on the
    outcome.
    """
    found, own = added.protocols[protocol], evaluation.reads != "other"
    row: dict[str, Any] = {
        "protocol": protocol,
        **{name: added.facts[name] for name in ("n_patients", "n_events")},
        "reads_covariates": "yes" if own else "no",
        "reason": found["reason"],
        "data": evaluation.data,
        "weights": evaluation.weights,
    }
    if found["reason"]:
        return row
    compared = headline_arm(evaluation.reads)
    row |= {**arm_columns(found), "compared": compared, **found["differences"][compared]}
    return row | (dict.fromkeys(("c_both", "uno_both", "brier_both")) if own else tested_columns(found))


def describe(cohort: Cohort, drawn: Mapping[str, Markup]) -> dict[str, Any]:
    """Return what the page shows of a cohort; ``models`` is empty if the cohort has no covariates."""
    shown = [(evaluation, evaluation.added) for evaluation in cohort.evaluations if evaluation.added is not None]
    first = shown[0][1] if shown else None
    verdicts = sum(_has_verdict(evaluation, added) for evaluation, added in shown)
    return {
        "name": cohort.name,
        "caveats": caveats_of(cohort.evaluations),
        "warnings": first.facts["warnings"] if first else [],
        "verdicts": verdicts,
        "verdicts_by_chance": SIGNIFICANT * verdicts,
        "models": [_describe_model(evaluation, added, drawn) for evaluation, added in shown],
        "protocols": [name for name in PROTOCOLS_SHOWN if first and name in first.protocols],
        "figure": drawn.get(f"added.{cohort.name}"),
    }


def _has_verdict(evaluation: Evaluation, added: Added) -> bool:
    """Return whether a model is compared with the covariates."""
    return not added.protocols["last"]["reason"] and evaluation.reads != "covariates alone"


def _describe_model(evaluation: Evaluation, added: Added, drawn: Mapping[str, Markup]) -> dict[str, Any]:
    last = added.protocols["last"]
    groups, tests = (records(table[table["protocol"] == "last"]) for table in (added.groups, added.interactions))
    tested = [row for row in tests if row["p"] is not None]
    rows = {row["protocol"]: dict.fromkeys(ADDED) | row for row in added_rows(evaluation)}
    sentences = [sentence(evaluation.title, added.covariates, last, evaluation.reads)]
    if _has_verdict(evaluation, added):
        sentences += [
            against_one_curve(rows["last"]["brier_model"], rows["last"]["brier_kaplan_meier"]),
            for_whom(tested),
        ]
    return {
        "title": evaluation.title,
        "caveats": evaluation.caveats,
        "own": evaluation.reads != "other",
        "sentences": " ".join(filter(None, sentences)),
        "rows": rows,
        "notes": last.get("notes", []),
        "left_out": sorted(added.facts["left_out"].items()),
        "crossing": [row["column"] for row in last.get("proportional_hazards", []) if row["p"] < SIGNIFICANT],
        "calibration": drawn.get(figure_name(evaluation, "calibration_arms")),
        "benefit": drawn.get(figure_name(evaluation, "benefit")),
        "figure": drawn.get(figure_name(evaluation, "groups")),
        "groups": groups,
        "interactions": {row["covariate"]: row["p"] for row in tested},
        "by_chance": 1 - (1 - SIGNIFICANT) ** len(tested),
    }
