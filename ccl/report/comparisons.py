"""Tests of the differences between the models of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from ccl.evaluate.compare import differences, holm
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
    found = [_of_cohort(cohort.evaluations) for cohort in cohorts]
    rows = [table for table in found if len(table)]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)


def _of_cohort(evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    risks = [_risks(evaluation) for evaluation in evaluations]
    pairs = _pairs(len(evaluations))
    of_whom: dict[tuple[str, ...], list[int]] = {}
    for place, (first, second) in enumerate(pairs):
        patients = tuple(risks[first].index.intersection(risks[second].index))
        if patients:
            of_whom.setdefault(patients, []).append(place)
    rows = []
    for patients, places in of_whom.items():
        # Each model is resampled once for all its pairs on the same patients.
        members = sorted({member for place in places for member in pairs[place]})
        shared = [risks[member].loc[list(patients)] for member in members]
        within = [(members.index(first), members.index(second)) for first, second in (pairs[place] for place in places)]
        table = differences(shared, within)
        table.index = pd.Index(places)
        rows.append(table)
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    # Patients among whom no two can be compared have no C-index.
    found = pd.concat(rows).sort_index().dropna(subset=["difference"])
    names = [_names(*(evaluations[member] for member in pairs[place])) for place in found.index]
    named = pd.DataFrame(names, index=found.index)
    return pd.concat([named, found.assign(p_holm=holm(found["p"]))], axis=1)[COLUMNS]


def _pairs(models: int) -> list[tuple[int, int]]:
    if models <= ALL_PAIRS_OF:
        return list(combinations(range(models), 2))
    return [(other, 0) for other in range(1, models)]


def _risks(evaluation: Evaluation) -> pd.DataFrame:
    rows = evaluation.risks[evaluation.risks["protocol"] == PROTOCOL]
    return rows.set_index("patient_id")[["months", "censorship", "risk"]].sort_index()


def _names(first: Evaluation, second: Evaluation) -> dict[str, str]:
    return {
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
