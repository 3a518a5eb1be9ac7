"""Kaplan-Meier curves, and the log-rank test, hazard ratio and t-test between groups of patients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ttest_ind_from_stats

from ccl.evaluate.concordance import TIED_TOLERANCE


def kaplan_meier(months: ArrayLike, censorship: ArrayLike) -> pd.DataFrame:
    """Return the Kaplan-Meier curve of a group of patients.

    Returns
    -------
    DataFrame
        ``months`` (0 and every distinct follow-up time), ``survival``, ``lower`` and ``upper`` (95 % band, exponential
        Greenwood), ``at_risk`` (patients followed at least that long).
    """
    fitted = KaplanMeierFitter().fit(months, event_observed=np.asarray(censorship) == 0)
    band = fitted.confidence_interval_
    return pd.DataFrame(
        {
            "months": fitted.survival_function_.index.to_numpy(dtype=float),
            "survival": fitted.survival_function_.iloc[:, 0].to_numpy(dtype=float),
            "lower": band.iloc[:, 0].to_numpy(dtype=float),
            "upper": band.iloc[:, 1].to_numpy(dtype=float),
            "at_risk": fitted.event_table["at_risk"].to_numpy(dtype=int),
        }
    )


def compare_groups(risks: pd.DataFrame) -> dict[str, Any]:
    """Return the log-rank test between the ``high`` and the ``low`` group of pooled risks, and their hazard ratio."""
    high, low = (risks[risks["group"] == name] for name in ("high", "low"))
    return {
        "cut": float(risks["risk"].median()),
        "n_high": len(high),
        "n_low": len(low),
        **log_rank(high, low),
        **hazard_ratio(high, low),
    }


def log_rank(high: pd.DataFrame, low: pd.DataFrame) -> dict[str, float | None]:
    """Return the log-rank test between two groups; statistic and p are None if one is empty or nobody died."""
    statistic = p = None
    died = [group["censorship"] == 0 for group in (high, low)]
    if len(high) and len(low) and any(group.any() for group in died):
        test = logrank_test(high["months"], low["months"], *died)
        statistic, p = float(test.test_statistic), float(test.p_value)
    return {"log_rank_statistic": statistic, "log_rank_p": p}


def hazard_ratio(high: pd.DataFrame, low: pd.DataFrame) -> dict[str, Any]:
    """Return the hazard ratio of one group to another (Cox, Efron's ties) with its 95 % confidence interval.

    Returns
    -------
    dict
        ``hazard_ratio``, ``hazard_ratio_lower``, ``hazard_ratio_upper``; if these are None, ``hazard_ratio_reason``.
    """
    names = ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper")
    reason = None
    if not (len(high) and len(low)):
        reason = "a group is empty"
    elif not (_dies_beside(high, low) and _dies_beside(low, high)):
        reason = "nobody of one group died while the other was followed"
    if reason:
        return {**dict.fromkeys(names), "hazard_ratio_reason": reason}
    both = pd.concat([high.assign(high=1.0), low.assign(high=0.0)])
    table = both[["months", "high"]].assign(died=both["censorship"] == 0)
    fitted = CoxPHFitter().fit(table, duration_col="months", event_col="died").summary.loc["high"]
    values = fitted[["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%"]]
    return {**dict(zip(names, map(float, values), strict=True)), "hazard_ratio_reason": None}


def _dies_beside(group: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether somebody died while somebody of the other group was followed; otherwise the ratio is unbounded."""
    deaths = group.loc[group["censorship"] == 0, "months"]
    return bool((deaths <= other["months"].max()).any())


def survival_split(months: ArrayLike, censorship: ArrayLike) -> tuple[float, str]:
    """Return the time (months) that divides short from long survivors, and its definition.

    It is the cohort's Kaplan-Meier median survival time; if the curve never falls to one half, the median of the
    follow-up times.
    """
    fitted = KaplanMeierFitter().fit(months, event_observed=np.asarray(censorship) == 0)
    median = float(fitted.median_survival_time_)
    if np.isfinite(median):
        return median, "median survival"
    return float(np.median(np.asarray(months, dtype=float))), "median follow-up"


def survivor_groups(months: ArrayLike, censorship: ArrayLike, split_months: float) -> NDArray[np.str_]:
    """Name each patient ``short`` (died up to `split_months`), ``long`` (known to live beyond) or ``unknown``.

    A patient censored up to the split may belong to either group.
    """
    time, died = np.asarray(months, dtype=float), np.asarray(censorship) == 0
    return np.where(time > split_months, "long", np.where(died, "short", "unknown"))


def t_test(risks: pd.DataFrame) -> dict[str, Any]:
    """Return Welch's t-test of predicted risk between short and long survivors.

    The publication does not define the groups of its t-test.  Groups made from the predicted risk would differ in
    predicted risk by construction, so these are made from follow-up alone.  ``t`` is positive if short survivors have
    the higher predicted risk.  ``t`` and ``p`` are None if a group has fewer than two patients, or if risk varies in
    neither.
    """
    split, split_from = survival_split(risks["months"], risks["censorship"])
    groups = survivor_groups(risks["months"], risks["censorship"], split)
    short, long = (risks["risk"].to_numpy(dtype=float)[groups == name] for name in ("short", "long"))
    t = p = None
    if min(len(short), len(long)) > 1 and max(np.ptp(short), np.ptp(long)) > TIED_TOLERANCE:
        # From moments: with the risks themselves, scipy warns if those of one group are all equal.
        test = ttest_ind_from_stats(
            short.mean(), short.std(ddof=1), len(short), long.mean(), long.std(ddof=1), len(long), equal_var=False
        )
        t, p = float(test.statistic), float(test.pvalue)
    return {
        "split_months": split,
        "split_from": split_from,
        "n_short": len(short),
        "n_long": len(long),
        "n_unknown": int((groups == "unknown").sum()),
        "t": t,
        "p": p,
    }
