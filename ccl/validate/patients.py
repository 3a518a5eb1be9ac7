"""The patients on whom a bundle is scored: predicted, with follow-up, and not of the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from ccl.added.patients import Patients
from ccl.data.intervals import survival_at
from ccl.io.covariates import Clinical
from ccl.io.errors import InputError
from ccl.io.files import read_json, read_table
from ccl.predict.card import Card

FOLDS = 5
"""Parts of the new cohort: Cox models are fitted to all but one, and predict that one."""

SEED = 0

NO_FOLLOW_UP, NOT_PREDICTED = "no follow-up", "not predicted: in no table that the model reads"

ENTRIES = ("bundle_sha256", "expression", "cut")
"""Entries of ``predict.json`` that a validation needs."""


@dataclass(frozen=True)
class Scored:
    """The P patients who are scored, sorted."""

    table: pd.DataFrame
    """``patient_id``, ``months``, ``censorship``, ``risk``, ``group`` (by the cut of the bundle)."""
    corners: NDArray[np.float64]
    """(T,) months, from 0."""
    curves: NDArray[np.float64]
    """(P, T) predicted survival, linear between the corners."""
    left_out: Mapping[str, str]
    """Reason for each patient of the cohort who is not scored."""
    prediction: Mapping[str, Any]
    """``predict.json``."""

    def survival(self, months: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predicted survival (P, M) at some times; NaN where it is not predicted."""
        return survival_at(self.curves[:, 1:], self.corners, months)

    def without(self, patients: Mapping[str, str]) -> Scored:
        """Return the others, with the reason for each patient left out."""
        kept = ~self.table["patient_id"].isin(patients).to_numpy()
        left_out = dict(sorted({**self.left_out, **patients}.items()))
        table = self.table[kept].reset_index(drop=True)
        return Scored(table, self.corners, self.curves[kept], left_out, self.prediction)

    def in_folds(self, clinical: Clinical | None) -> Patients:
        """Return the patients in :data:`FOLDS` parts that are alike in deaths; with covariates, only who has them."""
        table = self.table
        if clinical is None:
            clinical = Clinical(pd.DataFrame(index=table["patient_id"]), (), {})
        else:
            table = table[table["patient_id"].isin(clinical.patients)].reset_index(drop=True)
        return Patients(clinical, table.assign(fold=_folds(table["censorship"])), one_scale=True)


def _folds(censorship: pd.Series) -> NDArray[np.int64]:
    """Return a fold for each patient; one fold for all if there are fewer than two deaths."""
    dead = (censorship == 0).to_numpy()
    count = min(FOLDS, int(dead.sum()))
    folds = np.zeros(len(dead), dtype=np.int64)
    if count < 2:
        return folds
    alike = dead if (~dead).sum() >= count else np.zeros(len(dead))
    for fold, (_, test) in enumerate(StratifiedKFold(count, shuffle=True, random_state=SEED).split(dead, alike)):
        folds[test] = fold
    return folds


def read_scored(prediction: Path, card: Card, patients: Path) -> Scored:
    """Read the predictions of a bundle, and the follow-up of the same patients.

    Parameters
    ----------
    prediction : Path
        Folder that ``ccl predict`` wrote.
    card : Card
        The bundle.
    patients : Path
        ``patients.csv`` of the cohort stage.

    Raises
    ------
    InputError
        The predictions are of another bundle, or no predicted patient has follow-up.
    """
    facts = read_json(prediction / "predict.json", required=ENTRIES, todo="run `ccl predict` again")
    _check_bundle(prediction, facts, card)
    risks = read_table(prediction / "risk.csv", required=("patient_id", "risk", "group"), text=("patient_id",))
    outcomes = read_table(patients, required=("patient_id", "months", "censorship"), text=("patient_id",))
    table = risks.merge(outcomes, on="patient_id").sort_values("patient_id", ignore_index=True)
    reasons = read_table(prediction / "left_out.csv", text=("patient_id", "reason"))
    left_out = dict(zip(reasons["patient_id"], reasons["reason"], strict=True))
    left_out |= dict.fromkeys(sorted({*risks["patient_id"]} - {*table["patient_id"]}), NO_FOLLOW_UP)
    left_out |= dict.fromkeys(sorted({*outcomes["patient_id"]} - {*table["patient_id"], *left_out}), NOT_PREDICTED)
    if table.empty:
        raise _no_patient(patients, outcomes["patient_id"], risks["patient_id"])
    curves = read_table(prediction / "survival.csv", required=("patient_id",), text=("patient_id",))
    months = [name for name in curves.columns if name != "patient_id"]
    values = curves.set_index("patient_id").loc[table["patient_id"], months].to_numpy(dtype=np.float64)
    columns = ["patient_id", "months", "censorship", "risk", "group"]
    return Scored(table[columns], np.array(months, dtype=np.float64), values, left_out, facts)


def _check_bundle(prediction: Path, facts: Mapping[str, Any], card: Card) -> None:
    if facts["bundle_sha256"] != card.sha256:
        raise InputError(
            "the predictions were made with another bundle",
            where=str(prediction / "predict.json"),
            found=f"networks with sha256 {facts['bundle_sha256']}",
            expected=f"sha256 {card.sha256}",
            todo="predict again with this bundle, or name the bundle that made the predictions",
        )


def _no_patient(path: Path, followed: pd.Series, predicted: pd.Series) -> InputError:
    return InputError(
        "no predicted patient has follow-up",
        where=str(path),
        found=f"patients such as {', '.join(followed[:3])}; predicted {', '.join(predicted[:3])}",
        expected="the same names of patients in both",
        todo="name the patients alike",
    )


def check_deaths(table: pd.DataFrame, path: Path) -> None:
    """Raise InputError if none of the scored patients, with follow-up from `path`, died."""
    if not (table["censorship"] == 0).any():
        raise InputError(
            "nobody died, so nothing can be validated",
            where=str(path),
            found=f"{len(table)} patients to score, all censored" if len(table) else "no patient to score",
            expected="observed deaths",
            todo="wait for longer follow-up; without `patients`, the cohort is predicted and not validated",
        )
