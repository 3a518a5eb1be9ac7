"""The predictions of the three arms, from Cox models that are fitted to the patients of other folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    """(C,) means of the fitted patients, which replace missing values; 0 if no patient has a value."""
    scale: Array
    """(C,) standard deviations; 1 for a constant column."""
    weight: Array
    """(C,) log hazard ratio per standard deviation."""
    baseline: Steps
    """Survival of a patient with log-hazard 0."""

    @classmethod
    def fit(cls, x: Array, months: Array, dead: NDArray[np.bool_], *, least: float = -np.inf) -> CoxFit:
        """Fit to the columns (P, C) of P patients, NaN where missing; no weight is below `least`."""
        present = ~np.isnan(x)
        mean = np.where(present, x, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
        scale = np.where(present, x, mean).std(axis=0)
        scale[scale < 1e-12] = 1.0
        filled = np.where(present, x - mean, 0.0) / scale
        weight = ridge_cox(filled, months, dead, np.full(x.shape[1], PENALTY), least=least)
        times = np.sort(months[dead])
        increments = 1 / at_risk(np.exp(filled @ weight), months)[dead][np.argsort(months[dead], kind="stable")]
        return cls(mean, scale, weight, Steps(times, np.exp(-np.cumsum(increments))))

    def log_hazard(self, x: Array) -> Array:
        """Return the log-hazards (P,) of patients with columns (P, C)."""
        filled: Array = np.where(np.isnan(x), 0.0, x - self.mean) / self.scale @ self.weight
        return filled


@dataclass(frozen=True)
class Prediction:
    """What one arm predicts of P patients, each from fits to the patients of other folds."""

    fold: NDArray[np.int64]
    """(P,) the fold that tested each patient."""
    fits: Mapping[int, CoxFit]
    """By fold: the Cox model fitted to all patients of the other folds."""
    log_hazard: Array
    """(P,) by the Cox model of the patient's fold."""
    own: Array | None = None
    """(P,) a risk that orders the patients instead of the log-hazard."""

    @property
    def risk(self) -> Array:
        """(P,) the risk that orders the patients."""
        return self.log_hazard if self.own is None else self.own

    def survival(self, months: Array) -> Array:
        """Return the probability (P, T) of each patient to be alive at some times."""
        found = np.empty((len(self.fold), len(months)))
        for fold, fit in self.fits.items():
            here = self.fold == fold
            found[here] = fit.baseline(months) ** np.exp(self.log_hazard[here])[:, None]
        return found


def predict_arms(patients: Patients) -> dict[Arm, Prediction]:
    """Return what each arm predicts.

    The model alone orders patients by its own risk.  Both together are a Cox model of two columns: the log-hazard of
    the covariates alone, and the risk.  The covariates are not fitted again together with the risk, because
    the risks of the other folds come from networks that were trained on this fold: several free weights could recover
    its outcome from the differences between networks.  No weight is negative (Breiman, Machine Learning 1996), so a fit
    does not reverse a risk that points the wrong way.
    """
    risk, known = patients.standardised, patients.covariates
    clinical = cross_fit(patients, dict.fromkeys(patients.folds, known))
    scores = {fold: fit.log_hazard(known) for fold, fit in clinical.fits.items()}
    return {
        "clinical": clinical,
        "model": replace(cross_fit(patients, dict.fromkeys(patients.folds, risk[:, None]), least=0.0), own=risk),
        "both": cross_fit(patients, {f: np.column_stack([score, risk]) for f, score in scores.items()}, least=0.0),
    }


def cross_fit(patients: Patients, columns: Mapping[int, Array], *, least: float = -np.inf) -> Prediction:
    """Fit a Cox model for each fold to the patients of the other folds, and predict the patients of the fold.

    Parameters
    ----------
    patients : Patients
        The patients (P).
    columns : mapping
        By fold: the columns (P, C) of all patients that the model of the fold reads.
    least : float
        No weight is below it.
    """
    fits, log_hazard = {}, np.empty(len(patients.fold))
    for fold, x in columns.items():
        here = patients.fold == fold
        fits[fold] = CoxFit.fit(x[~here], patients.months[~here], patients.dead[~here], least=least)
        log_hazard[here] = fits[fold].log_hazard(x[here])
    return Prediction(patients.fold, fits, log_hazard)
