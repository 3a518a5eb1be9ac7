"""What models add to clinical covariates: the rows of the table, and what the page shows of a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from ccl.added.rows import ARM_COLUMNS, TEST_COLUMNS, arm_columns, tested_columns
from ccl.added.words import headline_arm, sentence
from ccl.report.figures import figure_name
from ccl.results.added import Added
from ccl.results.gather import PROTOCOLS_SHOWN, Cohort, Evaluation, caveats_of

ADDED = [
    "protocol", "n_patients", "n_events", "reads_covariates", *ARM_COLUMNS, "compared", "difference", "lower", "upper",
    *TEST_COLUMNS, "reason", "data", "weights",
]  # fmt: skip
"""Columns of ``added.csv`` after the names of the evaluation."""

ALONE = 0.05
"""Level at which chance findings among several tests are counted."""


def added_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the rows of an evaluation, one per protocol; none if its cohort has no covariates."""
    if evaluation.added is None:
        return []
    found = evaluation.added.protocols
    return [_row(evaluation, evaluation.added, name) for name in PROTOCOLS_SHOWN if name in found]


def _row(evaluation: Evaluation, added: Added, protocol: str) -> dict[str, Any]:
    """Return the numbers of one protocol.

    A model that reads the covariates is compared with them directly.  It has neither test nor hazard ratio: beside the
    covariates its risk says little but how the networks of two folds differ, which depends on the outcome.
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
    return row if own else row | tested_columns(found)


def describe(cohort: Cohort, drawn: Mapping[str, Markup]) -> dict[str, Any]:
    """Return what the page shows of a cohort; ``models`` is empty if the cohort has no covariates."""
    shown = [evaluation for evaluation in cohort.evaluations if evaluation.added is not None]
    first = shown[0].added if shown else None
    return {
        "name": cohort.name,
        "caveats": caveats_of(cohort.evaluations),
        "warnings": first.facts["warnings"] if first else [],
        "models": [_describe_model(evaluation, evaluation.added, drawn) for evaluation in shown if evaluation.added],
        "protocols": [name for name in PROTOCOLS_SHOWN if first and name in first.protocols],
        "figure": drawn.get(f"added.{cohort.name}"),
    }


def _describe_model(evaluation: Evaluation, added: Added, drawn: Mapping[str, Markup]) -> dict[str, Any]:
    last = added.protocols["last"]
    groups = _records(added.groups)
    tests = _records(added.interactions)
    return {
        "title": evaluation.title,
        "caveats": evaluation.caveats,
        "own": evaluation.reads != "other",
        "sentence": sentence(evaluation.title, added.covariates, last, evaluation.reads),
        "rows": {row["protocol"]: dict.fromkeys(ADDED) | row for row in added_rows(evaluation)},
        "notes": last.get("notes", []),
        "left_out": sorted(added.facts["left_out"].items()),
        "crossing": [row["column"] for row in last.get("proportional_hazards", []) if row["p"] < ALONE],
        "benefit": drawn.get(figure_name(evaluation, "benefit")),
        "groups": drawn.get(figure_name(evaluation, "groups")),
        "too_few": [row for row in groups if row["reason"]],
        "interactions": [row for row in tests if row["p"] is not None],
        "by_chance": 1 - (1 - ALONE) ** sum(row["p"] is not None for row in tests),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table under the protocol ``last``, with None for empty cells."""
    rows = table[table["protocol"] == "last"]
    found: list[Any] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return found
