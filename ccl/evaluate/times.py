"""Statistics of a protocol at chosen times and over time: Uno's C, AUC, Brier score and calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from ccl.evaluate import MONTHS
from ccl.evaluate.censoring import survived_share
from ccl.evaluate.concordance import uno_concordance
from ccl.evaluate.survival import kaplan_meier
from ccl.evaluate.weighted import auc_at, brier_scores, known_at

TAU_QUANTILE = 0.9
"""Quantile of the months of follow-up that Uno's C and the integrated Brier score are computed up to."""

GRID = 100
"""Times that the Brier score is integrated over."""

GROUPS, LEAST_MEMBERS = 5, 10
"""Groups of a calibration table, and the minimum size of a group; small cohorts have fewer groups."""

CALIBRATION = ["months", "group", "predicted", "observed", "lower", "upper", "n"]
"""Columns of a calibration table."""


def judge_times(
    risks: pd.DataFrame,
    predict: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    months: Sequence[float],
    *,
    end: float = np.inf,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the entries ``uno``, ``months`` and ``integrated_brier`` of some predictions, and their calibration table.

    Parameters
    ----------
    risks : DataFrame
        Pooled risks of P patients.
    predict : callable
        Returns the predicted survival (P, T) at T times; NaN where it is not predicted.
    months : sequence of float
        The times, as in :func:`chosen_months`.
    end : float
        Time (months) up to which survival is predicted for all patients.
    """
    chosen = chosen_months(months, risks["months"])
    grid = _grid(risks["months"], end)
    survival = predict(chosen)
    facts = {
        "uno": uno(risks),
        "months": [at_months(risks, month, survival[:, i]) for i, month in enumerate(chosen.tolist())],
        "integrated_brier": integrated_brier(risks, grid, predict(grid)),
    }
    tables = [
        calibration(risks, month, survival[:, i])
        for i, month in enumerate(chosen.tolist())
        if np.isfinite(survival[:, i]).all()
    ]
    return facts, pd.concat(tables) if tables else pd.DataFrame(columns=CALIBRATION)


def chosen_months(asked: Sequence[float], months: ArrayLike) -> NDArray[np.float64]:
    """Return the times that are asked for; if none, those of :data:`ccl.evaluate.MONTHS` that lie within follow-up."""
    longest = float(np.max(months))
    return np.array(sorted(set(asked)) or [month for month in MONTHS if month < longest], dtype=np.float64)


def _grid(months: ArrayLike, end: float) -> NDArray[np.float64]:
    """Return evenly spaced times, up to `end`, that the Brier score is integrated over; maybe none."""
    first, last = float(np.min(months)), min(truncation(months), end)
    return np.linspace(first, last, GRID) if first < last else np.empty(0)


def truncation(months: ArrayLike) -> float:
    """Return the time up to which statistics are computed: a quantile of follow-up, and always before the longest."""
    time = np.asarray(months, dtype=np.float64)
    tau = float(np.quantile(time, TAU_QUANTILE))
    before = time[time < time.max()]
    return tau if tau < time.max() or not len(before) else float(before.max())


def uno(risks: pd.DataFrame) -> dict[str, Any]:
    """Return Uno's C of pooled risks, up to the :func:`truncation` of their follow-up."""
    tau = truncation(risks["months"])
    found = uno_concordance(risks["months"], risks["censorship"], risks["risk"], tau)
    none = bool(np.isnan(found))
    return {
        "c_index": None if none else found,
        "tau_months": tau,
        "tau_quantile": TAU_QUANTILE,
        "reason": f"nobody died before {tau:.4g} months and was outlived" if none else None,
    }


def at_months(risks: pd.DataFrame, at: float, survival: NDArray[np.float64]) -> dict[str, Any]:
    """Return the statistics at one time.

    Parameters
    ----------
    risks : DataFrame
        Pooled risks: ``months``, ``censorship``, ``risk`` of P patients.
    at : float
        The time (months).
    survival : ndarray, shape (P,)
        Predicted probability to be alive at this time; NaN where it is not predicted.

    Returns
    -------
    dict
        ``months``, ``n_dead``, ``n_alive``, ``auc``, ``brier``, ``brier_kaplan_meier`` (of the cohort's Kaplan-Meier
        curve as every prediction), and ``reason``, which says why one of them is None.
    """
    months, censorship = risks["months"].to_numpy(dtype=np.float64), risks["censorship"].to_numpy()
    dead, alive = known_at(months, censorship, at)
    auc = brier = reference = None
    reasons = []
    if not alive.any():
        reasons.append("nobody is followed longer")
    else:
        kaplan_meier_at = survived_share(months, censorship)([at])
        reference = float(brier_scores(months, censorship, kaplan_meier_at, [at])[0])
        if dead.any():
            auc = auc_at(months, censorship, risks["risk"], at)
        else:
            reasons.append("no AUC: nobody died by then")
        if np.isfinite(survival).all():
            brier = float(brier_scores(months, censorship, survival[:, None], [at])[0])
        else:
            reasons.append("no Brier score: survival is not predicted for this time")
    return {
        "months": at,
        "n_dead": int(dead.sum()),
        "n_alive": int(alive.sum()),
        "auc": auc,
        "brier": brier,
        "brier_kaplan_meier": reference,
        "reason": "; ".join(reasons) or None,
    }


def integrated_brier(risks: pd.DataFrame, grid: NDArray[np.float64], survival: NDArray[np.float64]) -> dict[str, Any]:
    """Return the mean Brier score over time, that of the cohort's Kaplan-Meier curve, and the relative gain.

    Parameters
    ----------
    risks : DataFrame
        Pooled risks of P patients.
    grid : ndarray, shape (T,)
        Times (months), ascending; maybe none.
    survival : ndarray, shape (P, T)
        Predicted probability to be alive at each.

    Returns
    -------
    dict
        ``score``, ``kaplan_meier``, ``skill`` (1 - score / kaplan_meier: 0 is no better than one curve for all),
        ``from_months``, ``to_months``, and ``reason``, which says why these are None.
    """
    names = ("score", "kaplan_meier", "skill", "from_months", "to_months")
    if not len(grid):
        return {**dict.fromkeys(names), "reason": "no survival is predicted within follow-up"}
    months, censorship = risks["months"], risks["censorship"]
    score, reference = (
        float(np.trapezoid(brier_scores(months, censorship, predicted, grid), grid) / (grid[-1] - grid[0]))
        for predicted in (survival, survived_share(months, censorship)(grid))
    )
    skill = 1 - score / reference if reference else None
    reason = None if reference else "no skill: one curve for all predicts without error"
    values = (score, reference, skill, float(grid[0]), float(grid[-1]))
    return {**dict(zip(names, values, strict=True)), "reason": reason}


def calibration(risks: pd.DataFrame, at: float, survival: NDArray[np.float64]) -> pd.DataFrame:
    """Compare predicted and observed survival at one time, in groups of patients by predicted survival.

    Parameters
    ----------
    risks : DataFrame
        Follow-up of P patients.
    at : float
        The time (months).
    survival : ndarray, shape (P,)
        Predicted probability to be alive at this time.

    Returns
    -------
    DataFrame
        ``months``, ``group`` (1 = lowest predicted survival; equal predictions stay together), ``predicted`` (mean),
        ``observed`` (Kaplan-Meier) with its 95 % band ``lower`` to ``upper`` (NaN where follow-up of the group ends
        before), ``n``.
    """
    groups = max(1, min(GROUPS, len(risks) // LEAST_MEMBERS))
    place = (rankdata(survival) - 0.5) / len(survival)
    _, group = np.unique(np.floor(groups * place), return_inverse=True)
    rows = []
    for number in range(group.max() + 1):
        members = risks[group == number]
        row = {
            "months": at,
            "group": number + 1,
            "predicted": float(survival[group == number].mean()),
            "n": len(members),
        }
        rows.append({**row, **_observed(members, at)})
    return pd.DataFrame(rows, columns=CALIBRATION)


def _observed(members: pd.DataFrame, at: float) -> dict[str, float]:
    """Return the Kaplan-Meier survival of some patients at a time, with its band; empty if it is not defined."""
    curve = kaplan_meier(members["months"], members["censorship"])
    if at > curve["months"].iloc[-1] and curve["survival"].iloc[-1] > 0:
        return {}
    last = curve[curve["months"] <= at].iloc[-1]
    return {"observed": last["survival"], "lower": last["lower"], "upper": last["upper"]}
