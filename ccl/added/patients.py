"""The patients on whom the arms are compared: those with covariates and an out-of-fold risk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.evaluate.concordance import TIED_TOLERANCE
from ccl.evaluate.repeats import risk_columns
from ccl.io.covariates import Clinical
from ccl.io.errors import InputError

LEAST_DEATHS = 10
"""No Cox model is fitted if the patients of the other folds have fewer deaths."""

NO_ROW = "no row in the clinical table"


@dataclass(frozen=True)
class Patients:
    """The test patients of all folds (P), each with the risk from the fold that tested them."""

    clinical: Clinical
    table: pd.DataFrame
    """``patient_id`` (sorted), ``fold``, ``months``, ``censorship``, ``risk``."""
    repeated: tuple[Patients, ...] = ()
    """In repeated cross-validation, the same patients with the folds and risks of each repeat."""
    one_scale: bool = False
    """Whether the same networks predicted all folds, as on another hospital's patients."""

    @property
    def repeats(self) -> tuple[Patients, ...]:
        """The patients in each repeat; without repeats, these."""
        return self.repeated or (self,)

    @cached_property
    def fold(self) -> NDArray[np.int64]:
        """The fold that tested each patient (P,)."""
        return self.table["fold"].to_numpy(dtype=np.int64)

    @property
    def folds(self) -> list[int]:
        """The folds, ascending."""
        return sorted(set(self.fold.tolist()))

    @cached_property
    def months(self) -> NDArray[np.float64]:
        """Follow-up (P,)."""
        return self.table["months"].to_numpy(dtype=np.float64)

    @cached_property
    def dead(self) -> NDArray[np.bool_]:
        """Whether follow-up ended in death (P,)."""
        return self.table["censorship"].eq(0).to_numpy(dtype=np.bool_)

    @cached_property
    def covariates(self) -> NDArray[np.float64]:
        """The coded covariates (P, C); NaN where missing."""
        return self.clinical.coded(list(self.table["patient_id"]))

    @cached_property
    def risk(self) -> NDArray[np.float64]:
        """The model's risk (P,), on the scale of its own fold."""
        return self.table["risk"].to_numpy(dtype=np.float64)

    @cached_property
    def standardised(self) -> NDArray[np.float64]:
        """The risk (P,) with mean 0 and deviation 1 within each fold; 0 in a fold where it is constant.

        The networks of two folds may have different scales.  The scale comes from the test patients of the fold,
        because only they have a risk from its network.  It does not use follow-up.  Risks on one scale are standardised
        over all patients.
        """
        scaled = np.zeros(len(self.risk))
        groups = [np.ones(len(self.risk), dtype=bool)] if self.one_scale else [self.fold == f for f in self.folds]
        for here in groups:
            if not self._constant(here):
                scaled[here] = (self.risk[here] - self.risk[here].mean()) / self.risk[here].std()
        return scaled

    def _constant(self, members: NDArray[np.bool_]) -> bool:
        return float(np.ptp(self.risk[members])) <= TIED_TOLERANCE

    @property
    def problem(self) -> str | None:
        """Why the arms cannot be compared, or None."""
        if len(self.folds) < 2:
            return "all patients are in one fold, so no other patients are left to fit the Cox models to"
        for fold in self.folds:
            deaths = int(self.dead[self.fold != fold].sum())
            if deaths < LEAST_DEATHS:
                return f"{deaths} deaths outside fold {fold}; a Cox model is fitted to {LEAST_DEATHS} or more"
        if all(self._constant(self.fold == fold) for fold in self.folds):
            return "the model gives all patients of a fold the same risk"
        return None

    @property
    def notes(self) -> list[str]:
        """Notes for readers of the numbers, one sentence each."""
        constant = [str(fold) for fold in self.folds if self._constant(self.fold == fold)]
        return [f"The model gives all patients of fold {fold} the same risk." for fold in constant]


def select(risks: pd.DataFrame, clinical: Clinical) -> tuple[Patients, dict[str, str]]:
    """Return the patients with covariates and a risk, and why each other patient with a risk is left out.

    Parameters
    ----------
    risks : DataFrame
        Rows of one protocol of ``risks.csv``.  If a patient has several folds, the first counts, with the mean risk;
        `repeated` has those of each repeat.
    clinical : Clinical
        The covariates.

    Raises
    ------
    InputError
        No patient has both.
    """
    known = risks["patient_id"].isin(clinical.patients)
    if not known.any():
        raise InputError(
            "the clinical table and the predictions have no patient in common",
            found=f"{clinical.patients[0]}, ... and {risks['patient_id'].iloc[0]}, ..." if clinical.patients else "",
            expected="the same names of patients in both",
            todo="check `patient_column` of `clinical` in the config",
        )
    table = risks.loc[known, ["patient_id", "fold", "months", "censorship", "risk"]].sort_values("patient_id")
    folds = table["fold"].astype(str).str.split()
    table = table.assign(fold=folds.str[0].astype(int)).reset_index(drop=True)
    names = risk_columns(risks)
    own = risks.loc[known].sort_values("patient_id")
    repeated = [
        Patients(clinical, table.assign(fold=folds.str[place].astype(int).to_numpy(), risk=own[name].to_numpy()))
        for place, name in enumerate(names)
    ]
    return Patients(clinical, table, tuple(repeated if len(names) > 1 else ())), dict.fromkeys(
        risks.loc[~known, "patient_id"], NO_ROW
    )
