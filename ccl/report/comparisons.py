"""Tests of the differences between the models of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import pandas as pd

from ccl.evaluate.compare import differences, holm
from ccl.evaluate.repeats import risk_columns
from ccl.results.gather import Cohort, Evaluation

PROTOCOL = "last"
"""The protocol whose risks are compared, because it makes no choice on test patients."""

ALL_PAIRS_OF = 5
"""Up to this number of models all pairs are compared; if there are more, each is compared with the first of the config.

Twenty models have 190 pairs, and the correction for so many would hide most differences.  The reference is the first
model and not the best: choosing the best by its test patients would make the p-values too small.
"""

COLUMNS = [
    "cohort", "first_model", "first_encoder", "second_model", "second_encoder", "protocol", "n_patients", "n_events",
    "first_c_index", "second_c_index", "difference", "se", "lower", "upper", "p", "p_holm", "data", "first_weights",
    "second_weights",
]  # fmt: skip


def comparisons(cohorts: Sequence[Cohort]) -> pd.DataFrame:
    """Return differences in pooled C-index between models of a cohort, on the patients that both were tested on.

    Returns
    -------
    DataFrame
        A row per pair, as :func:`ccl.evaluate.compare.differences` has them, with ``p_holm`` corrected for the number
        of pairs of the cohort; no rows for a cohort with one model.
    """
    rows = [row for cohort in cohorts for row in _of_cohort(cohort.evaluations)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_cohort(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    every = len(evaluations) <= ALL_PAIRS_OF
    pairs = combinations(evaluations, 2) if every else product(evaluations[1:], evaluations[:1])
    rows = [row for pair in pairs for row in _compare(*pair)]
    return [row | {"p_holm": p} for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True)]


def _compare(first: Evaluation, second: Evaluation) -> list[dict[str, Any]]:
    """Return the row of a pair; none if among the patients of both no two can be compared."""
    risks = [_risks(first), _risks(second)]
    patients = risks[0].index.intersection(risks[1].index)
    if patients.empty:
        return []
    table = differences([each.loc[patients] for each in risks], [(0, 1)]).dropna(subset="difference")
    found: list[Any] = table.to_dict("records")
    names = {
        "cohort": first.cohort,
        "first_model": first.model,
        "first_encoder": first.encoder,
        "second_model": second.model,
        "second_encoder": second.encoder,
        "protocol": PROTOCOL,
        "data": first.data,
        "first_weights": first.weights,
        "second_weights": second.weights,
    }
    return [names | row for row in found]


def _risks(evaluation: Evaluation) -> pd.DataFrame:
    rows = evaluation.risks[evaluation.risks["protocol"] == PROTOCOL]
    columns = dict.fromkeys(["months", "censorship", "risk", *risk_columns(rows)])
    return rows.set_index("patient_id")[list(columns)].sort_index()
