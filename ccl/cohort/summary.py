"""What ``summary.json`` says of a cohort: counts, and how alike the folds are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test

from ccl.cohort.patients import FollowUp
from ccl.config.cohort_sections import CohortSettings
from ccl.io.sheets import Slide

UNEQUAL = 0.5
"""A fold is reported if its test patients, or their events, are more or fewer than the mean by more than this share."""

SIGNIFICANCE = 0.01
"""A fold is reported if the survival of its test patients differs from the others' with a log-rank p below this value,
divided by the number of folds."""


def summarise(
    name: str,
    follow_up: FollowUp,
    held_out: pd.DataFrame,
    sheet: Sequence[Slide],
    folds: pd.DataFrame,
    settings: CohortSettings,
) -> dict[str, Any]:
    """Return what the report's first page shows; the median follow-up is the reverse Kaplan-Meier's.

    Entries about endpoints, landmarks, sites, repeats and held-out patients are there only if the cohort has them.
    """
    patients = follow_up.table
    reverse = KaplanMeierFitter().fit(patients["months"], event_observed=patients["censorship"] == 1)
    median = float(reverse.median_survival_time_)
    tested = patients["patient_id"].map(folds.loc[folds["role"] == "test", "patient_id"].value_counts()).fillna(0)
    tests = {"least": int(tested.min()), "most": int(tested.max())}
    rows = [_fold(int(str(fold)), patients, own) for fold, own in folds.groupby("fold")]
    return {
        "cohort": name,
        "synthetic": settings.synthetic,
        "patients": len(patients),
        "events": int(patients["censorship"].eq(0).sum()),
        "censored_share": float(patients["censorship"].mean()),
        "slides": len(sheet),
        "patients_without_slides": sorted(set(patients["patient_id"]) - {slide.patient_id for slide in sheet}),
        "median_follow_up_months": median if median < float("inf") else None,
        "months_max": float(patients["months"].max()),
        **({"endpoint": follow_up.endpoint} if follow_up.endpoint else {}),
        **({"landmark_months": settings.landmark_months} if settings.landmark_months else {}),
        **({"left_out": follow_up.left_out} if follow_up.left_out else {}),
        **({"sites": int(patients["site"].nunique())} if "site" in patients else {}),
        **({"held_out": _held_out(held_out)} if len(held_out) else {}),
        **({"tests_per_patient": tests} if tests["most"] > 1 else {}),
        "folds": rows,
        "imbalance": list(_imbalance(patients, folds, rows)),
    }


def _fold(fold: int, patients: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    sides = {role: patients[patients["patient_id"].isin(own["patient_id"])] for role, own in rows.groupby("role")}
    train, test = sides["train"], sides["test"]
    facts = {
        "fold": fold,
        "train": len(train),
        "test": len(test),
        "train_events": int(train["censorship"].eq(0).sum()),
        "test_events": int(test["censorship"].eq(0).sum()),
        "test_median_months": float(test["months"].median()),
    }
    if "site" in patients:
        facts |= {"test_sites": test["site"].nunique(), "shared_sites": len({*test["site"]} & {*train["site"]})}
    return facts


def _held_out(patients: pd.DataFrame) -> dict[str, Any]:
    return {
        "patients": sorted(patients["patient_id"]),
        "events": int(patients["censorship"].eq(0).sum()),
        **({"sites": sorted(set(patients["site"]))} if "site" in patients else {}),
    }


def _imbalance(patients: pd.DataFrame, folds: pd.DataFrame, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each way in which a fold's test patients are unlike the others."""
    for key, what in (("test", "test patients"), ("test_events", "events among its test patients")) if rows else ():
        mean = sum(row[key] for row in rows) / len(rows)
        for row in rows:
            if abs(row[key] - mean) > UNEQUAL * mean:
                yield f"Fold {row['fold']} has {row[key]} {what}; the mean of all folds is {mean:.3g}."
    for fold, own in folds.groupby("fold"):
        role = patients["patient_id"].map(own.set_index("patient_id")["role"])
        test, train = patients[role == "test"], patients[role == "train"]
        dead = [side["censorship"] == 0 for side in (test, train)]
        p = logrank_test(test["months"], train["months"], *dead).p_value
        if p < SIGNIFICANCE / len(rows):
            yield f"Fold {fold}: its test patients survive longer or shorter than the others (log-rank p = {p:.1g})."
