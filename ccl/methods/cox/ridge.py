"""Ridge Cox regression of a few columns, without torch (:mod:`ccl.methods.cox`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
Deaths = NDArray[np.bool_]


def ridge_cox(
    x: Array, months: Array, dead: Deaths, penalties: Array, start: Array | None = None, *, least: float = -np.inf
) -> Array:
    """Return the coefficients (d,) of a ridge Cox model.

    Parameters
    ----------
    x : (n, d) array
        Standardised columns.
    months, dead : (n,) arrays
        Follow-up, and whether it ended in death.
    penalties : (d,) array
        Of each column, above 0.
    start : (d,) array, optional
        Coefficients to start from.
    least : float
        No coefficient is below it.
    """

    def loss(b: Array) -> tuple[float, Array]:
        value, slope = log_likelihood(x @ b, months, dead)
        gradient: Array = -(x.T @ slope) / len(x) + penalties * b
        return float(-value / len(x) + (penalties * b) @ b / 2), gradient

    first = np.zeros(x.shape[1]) if start is None else start
    bounds = [(least, None)] * x.shape[1] if np.isfinite(least) else None
    options = {"maxiter": 5000, "ftol": 1e-14}
    found: Array = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return found


def log_likelihood(eta: Array, months: Array, dead: Deaths) -> tuple[float, Array]:
    """Return Breslow's partial log-likelihood of log-hazards (n,), and its gradient."""
    shifted = np.exp(eta - eta.max())
    hazard = at_risk(shifted, months)
    value = float((eta[dead] - eta.max() - np.log(hazard[dead])).sum())
    # Each death reduces the gradient of everyone at risk, those followed at least as long, by their hazard.
    order = np.argsort(months, kind="stable")
    taken = np.cumsum(np.where(dead, 1 / hazard, 0.0)[order])
    last = np.searchsorted(months[order], months, side="right") - 1
    return value, dead - shifted * taken[last]


def at_risk(hazards: Array, months: Array) -> Array:
    """Return the sum of the hazards of all patients followed at least as long as each patient."""
    order = np.argsort(months, kind="stable")
    behind = np.cumsum(hazards[order][::-1])[::-1]
    sums: Array = behind[np.searchsorted(months[order], months, side="left")]
    return sums
