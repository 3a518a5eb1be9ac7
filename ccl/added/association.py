"""Tests of whether the risk predicts survival beyond the covariates, with Cox models of all out-of-fold patients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from warnings import catch_warnings

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError
from lifelines.statistics import proportional_hazard_test
from numpy.typing import NDArray
from scipy.stats import chi2

from ccl.added.patients import Patients

RISK = "risk of the model"
MONTHS, DEAD, FOLD = "months of follow-up", "died", "test fold"
"""Names of other columns in a design, chosen so that a covariate is unlikely to have the same name."""

TOLERANCE = 1e-8
"""A standardised column within this distance of a combination of the columns before it is left out."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Columns of a Cox model with a baseline hazard for each fold: Efron's ties, no penalty."""

    patients: Patients
    columns: pd.DataFrame
    """(P, C) without missing values; no column is a combination of those before it."""

    @classmethod
    def of(cls, patients: Patients, columns: pd.DataFrame) -> Design:
        """Return the design of some columns, scaled to mean 0 and deviation 1, without combinations of earlier columns.

        A missing value becomes the mean of its column.
        """
        values = columns.fillna(columns.mean()).fillna(0.0).to_numpy(dtype=np.float64)
        values = values - values.mean(axis=0)
        values /= np.maximum(values.std(axis=0), TOLERANCE)
        kept: list[int] = []
        for place in range(values.shape[1]):
            chosen = values[:, [*kept, place]]
            if np.linalg.matrix_rank(chosen, tol=TOLERANCE * np.sqrt(len(values))) > len(kept):
                kept.append(place)
        return cls(patients, pd.DataFrame(values[:, kept], columns=columns.columns[kept]))

    @cached_property
    def fitted(self) -> CoxPHFitter:
        """The fitted model.

        Raises
        ------
        ConvergenceError
            The likelihood has no maximum.
        """
        with catch_warnings(action="ignore"):  # for levels in which nobody died; their likelihood has a limit
            return CoxPHFitter().fit(self.table, duration_col=MONTHS, event_col=DEAD, strata=[FOLD])

    @property
    def table(self) -> pd.DataFrame:
        """The columns with follow-up and fold."""
        known = self.patients
        return self.columns.assign(**{MONTHS: known.months, DEAD: known.dead, FOLD: known.fold})


def covariate_columns(patients: Patients) -> pd.DataFrame:
    """Return the coded covariates (P, C); NaN where missing."""
    return pd.DataFrame(patients.covariates, columns=list(patients.clinical.columns))


def likelihood_ratio(smaller: Design, larger: Design) -> dict[str, Any]:
    """Return the likelihood-ratio test of the columns that only `larger` has.

    Returns
    -------
    dict
        ``statistic``, ``df``, ``p`` and ``reason``, which says why there is no p-value.
    """
    df = larger.columns.shape[1] - smaller.columns.shape[1]
    reason = None
    if df == 0:
        reason = "what is tested is a combination of the covariates"
    elif smaller.columns.empty:
        reason = "no covariate varies"
    else:
        try:
            statistic = 2 * (larger.fitted.log_likelihood_ - smaller.fitted.log_likelihood_)
        except ConvergenceError:
            reason = "the Cox model has no finite solution"
    if reason:
        return {"statistic": None, "df": df, "p": None, "reason": reason}
    statistic = max(float(statistic), 0.0)
    return {"statistic": statistic, "df": df, "p": float(chi2.sf(statistic, df)), "reason": None}


def associate(patients: Patients) -> dict[str, Any]:
    """Return the association of the standardised risk with survival, given the covariates.

    Returns
    -------
    dict
        ``likelihood_ratio`` (as :func:`likelihood_ratio` returns), ``hazard_ratio`` (of one standard deviation of the
        risk, with ``lower``, ``upper`` and ``reason``) and ``proportional_hazards`` (a list of ``column``,
        ``statistic``, ``p`` of Schoenfeld residuals against the Kaplan-Meier curve of time).
    """
    covariates = covariate_columns(patients)
    base = Design.of(patients, covariates)
    whole = Design.of(patients, covariates.assign(**{RISK: patients.standardised}))
    test = likelihood_ratio(base, whole)
    ratio: dict[str, Any] = {"hazard_ratio": None, "lower": None, "upper": None, "reason": test["reason"]}
    if test["reason"]:
        return {"likelihood_ratio": test, "hazard_ratio": ratio, "proportional_hazards": []}
    values = whole.fitted.summary.loc[RISK, ["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%"]]
    ratio |= dict(zip(("hazard_ratio", "lower", "upper"), map(float, values), strict=True))
    return {"likelihood_ratio": test, "hazard_ratio": ratio, "proportional_hazards": _proportional(whole)}


def _proportional(design: Design) -> list[dict[str, Any]]:
    """Return Schoenfeld's test of each column."""
    with catch_warnings(action="ignore"):
        # Not by rank: lifelines ranks the rows, which are sorted by time only within folds.
        found = proportional_hazard_test(design.fitted, design.table, time_transform="km").summary
    rows = zip(found.index, found["test_statistic"].astype(float), found["p"].astype(float), strict=True)
    return [{"column": name, "statistic": statistic, "p": p} for name, statistic, p in rows if np.isfinite(p)]
