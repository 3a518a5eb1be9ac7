"""Intercept and slope of the calibration of predicted survival at one time.

Let L = log(-log S(t)) be the predicted log cumulative hazard of each patient at time t.  In a Cox model with baseline
H0 and the log-hazard b L, perfect calibration means H0(t) = 1 and b = 1.  The slope is the estimate of b.  The
intercept is log H0(t) with b held at 1 (Breslow's estimate), so a positive intercept means that more patients die than
predicted (van Houwelingen, Statistics in Medicine 2000; Austin, Harrell and van Klaveren, same journal, 2020).
Follow-up ends at t, so later hazards do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from warnings import catch_warnings

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import NDArray

from ccl.evaluate.bootstrap import HALF_WIDTH
from ccl.evaluate.censoring import survived_share
from ccl.evaluate.concordance import TIED_TOLERANCE
from ccl.methods.cox.ridge import at_risk

LEAST_DEATHS = 10
"""With fewer deaths there is no intercept and no slope."""

EDGE = 1e-6
"""Predicted survival is kept this far from 0 and 1, where its log cumulative hazard is infinite."""

NAMES = ("intercept", "intercept_lower", "intercept_upper", "slope", "slope_lower", "slope_upper")


def calibrate_all(
    risks: pd.DataFrame,
    months: Iterable[float],
    survival: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> list[dict[str, Any]]:
    """Return :func:`calibrate` at some times; `survival` maps times (T,) to predicted survival (P, T)."""
    return [calibrate(risks, at, survival(np.array([at]))[:, 0]) for at in months]


def calibrate(risks: pd.DataFrame, at: float, survival: NDArray[np.float64]) -> dict[str, Any]:
    """Return how well survival predicted for one time is calibrated.

    Parameters
    ----------
    risks : DataFrame
        ``months`` and ``censorship`` of P patients.
    at : float
        The time (months).
    survival : ndarray, shape (P,)
        Predicted probability to be alive at this time; NaN where it is not predicted.

    Returns
    -------
    dict
        ``months``, ``predicted`` (mean survival), ``observed`` (Kaplan-Meier), :data:`NAMES` with 95 % intervals, and
        ``reason``, which says why some of them are None.
    """
    months = risks["months"].to_numpy(dtype=np.float64)
    died = (risks["censorship"] == 0).to_numpy() & (months <= at)
    facts: dict[str, Any] = {"months": at, "predicted": None, "observed": None, **dict.fromkeys(NAMES)}
    if not np.isfinite(survival).all():
        return {**facts, "reason": "survival is not predicted for this time"}
    facts["predicted"] = float(survival.mean())
    if months.max() < at:
        return {**facts, "reason": "nobody is followed longer"}
    facts["observed"] = float(survived_share(months, risks["censorship"])([at])[0])
    if died.sum() < LEAST_DEATHS:
        return {**facts, "reason": f"{int(died.sum())} deaths by then, fewer than {LEAST_DEATHS}"}
    hazard = np.log(-np.log(np.clip(survival, EDGE, 1 - EDGE)))
    facts |= _intercept(months, died, hazard)
    slope, reason = _slope(np.minimum(months, at), died, hazard)
    return {**facts, **slope, "reason": reason}


def _intercept(months: NDArray[np.float64], died: NDArray[np.bool_], hazard: NDArray[np.float64]) -> dict[str, float]:
    """Return the log of Breslow's cumulative baseline hazard with `hazard` (P,) as an offset, with its interval."""
    followed = at_risk(np.exp(hazard), months)[died]
    total = float((1 / followed).sum())
    half = HALF_WIDTH * float(np.sqrt((followed**-2.0).sum())) / total
    middle = float(np.log(total))
    return {"intercept": middle, "intercept_lower": middle - half, "intercept_upper": middle + half}


def _slope(
    months: NDArray[np.float64], died: NDArray[np.bool_], hazard: NDArray[np.float64]
) -> tuple[dict[str, float], str | None]:
    """Return the coefficient of `hazard` (P,) in a Cox model with its interval, or a reason why there is none."""
    if np.ptp(hazard) <= TIED_TOLERANCE:
        return {}, "no slope: all patients have the same prediction"
    table = pd.DataFrame({"months": months, "died": died, "hazard": hazard})
    try:
        with catch_warnings(action="ignore"):
            fitted = CoxPHFitter().fit(table, duration_col="months", event_col="died").summary.loc["hazard"]
    except ConvergenceError:
        return {}, "no slope: the Cox model has no finite solution"
    names = {"slope": "coef", "slope_lower": "coef lower 95%", "slope_upper": "coef upper 95%"}
    return {name: float(fitted[column]) for name, column in names.items()}, None
