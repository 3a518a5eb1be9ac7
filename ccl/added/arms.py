"""The three arms: what each predicts of a patient, from Cox models that were fitted to the patients of other folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ccl.added import Arm
from ccl.added.patients import Patients
from ccl.evaluate.censoring import Steps
from ccl.methods.cox.ridge import at_risk, ridge_cox

PENALTY = 0.01
"""Ridge penalty of every column, as of the covariates of :mod:`ccl.methods.cox`."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CoxFit:
    """A ridge Cox model of some patients, with Breslow's baseline."""

    mean: Array
    """(C,) of the patients fitted to, by which a missing value is replaced; 0 if none has a value."""
    scale: Array
    """(C,); 1 for a constant column."""
    weight: Array
    """(C,) log hazard ratio of one deviation."""
    baseline: Steps
    """Survival of a patient with log-hazard 0."""

    @classmethod
    def fit(cls, x: Array, months: Array, dead: NDArray[np.bool_]) -> CoxFit:
        """Fit to the columns (P, C) of P patients, NaN where missing."""
        present = ~np.isnan(x)
        mean = np.where(present, x, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
        scale = np.where(present, x, mean).std(axis=0)
        scale[scale < 1e-12] = 1.0
        filled = np.where(present, x - mean, 0.0) / scale
        weight = ridge_cox(filled, months, dead, np.full(x.shape[1], PENALTY))
        times = np.sort(months[dead])
        increments = 1 / at_risk(np.exp(filled @ weight), months)[dead][np.argsort(months[dead], kind="stable")]
        return cls(mean, scale, weight, Steps(times, np.exp(-np.cumsum(increments))))

    def log_hazard(self, x: Array) -> Array:
        """Return the log-hazards (P,) of patients with columns (P, C)."""
        filled: Array = np.where(np.isnan(x), 0.0, x - self.mean) / self.scale @ self.weight
        return filled

    def survival(self, x: Array, months: Array) -> Array:
        """Return the probability (P, T) of patients to be alive at some times."""
        curves: Array = self.baseline(months) ** np.exp(self.log_hazard(x))[:, None]
        return curves


@dataclass(frozen=True)
class Prediction:
    """What one arm predicts of P patients, each from models that did not see the patient's follow-up."""

    order: Array
    """(P,) orders the patients of one fold by risk."""
    score: Array
    """(P,) orders all patients by risk."""
    columns: Array
    """(P, C) what its Cox models read."""
    fits: Mapping[int, CoxFit]
    """By fold: the Cox model fitted to all patients of the other folds."""
    fold: NDArray[np.int64]

    def survival(self, months: Array) -> Array:
        """Return the probability (P, T) of each patient to be alive at some times."""
        found = np.empty((len(self.fold), len(months)))
        for fold, fit in self.fits.items():
            here = self.fold == fold
            found[here] = fit.survival(self.columns[here], months)
        return found


def predict_arms(patients: Patients) -> dict[Arm, Prediction]:
    """Return what each arm predicts.

    Patients are ordered by the log-hazard of the arm's Cox models.  The model alone orders them by its own risk
    instead, so that a model whose risk points the wrong way is not turned round by a fit.
    """
    risk = patients.standardised[:, None]
    columns: dict[Arm, Array] = {
        "clinical": patients.covariates,
        "model": risk,
        "both": np.hstack([patients.covariates, risk]),
    }
    return {arm: _predict(patients, arm, x) for arm, x in columns.items()}


def _predict(patients: Patients, arm: Arm, x: Array) -> Prediction:
    fits, log_hazard = {}, np.empty(len(x))
    for fold in patients.folds:
        here = patients.fold == fold
        fits[fold] = CoxFit.fit(x[~here], patients.months[~here], patients.dead[~here])
        log_hazard[here] = fits[fold].log_hazard(x[here])
    order, score = (patients.risk, patients.standardised) if arm == "model" else (log_hazard, log_hazard)
    return Prediction(order, score, x, fits, patients.fold)
