"""Net benefit of treating the patients whose predicted risk is above a threshold.

The share of these patients who die by the chosen time is a Kaplan-Meier estimate (Vickers et al., BMC Medical
Informatics and Decision Making 2008).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ccl.evaluate.censoring import survived_share

THRESHOLDS = np.arange(1, 100) / 100

LEAST_ABOVE = 10
"""Curves end at the last threshold with at least this many patients above it in one of the arms."""


def net_benefit(
    months: ArrayLike, censorship: ArrayLike, death: NDArray[np.float64], at: float, threshold: float
) -> float:
    """Return the net benefit of treating patients above a threshold, in true positives per patient.

    Parameters
    ----------
    months, censorship : array_like, shape (P,)
        Follow-up; 1 = censored, 0 = death observed.
    death : ndarray, shape (P,)
        Predicted probability to die by `at`.
    at : float
        The time (months).
    threshold : float
        Between 0 and 1. Its odds weigh the harm of an unnecessary treatment against the benefit of a necessary one.

    Returns
    -------
    float
        0 if nobody is above the threshold; NaN if the Kaplan-Meier curve of those above it ends before `at`,
        above 0.
    """
    time, censored, above = np.asarray(months, dtype=np.float64), np.asarray(censorship), death > threshold
    if not above.any():
        return 0.0
    alive = float(survived_share(time[above], censored[above])(at))
    if alive > 0 and time[above].max() < at:
        return float("nan")
    treated = float(above.mean())
    return (1 - alive) * treated - alive * treated * threshold / (1 - threshold)


def decision_curves(
    months: NDArray[np.float64],
    dead: NDArray[np.bool_],
    survival: Mapping[str, NDArray[np.float64]],
    at: NDArray[np.float64],
) -> pd.DataFrame:
    """Return the net benefit of each prediction, of treating all and of treating nobody, at each time and threshold.

    Parameters
    ----------
    months, dead : ndarray, shape (P,)
        Follow-up, and whether it ended in death.
    survival : mapping
        By name of the prediction: predicted survival (P, T) at the times.
    at : ndarray, shape (T,)
        The times (months).

    Returns
    -------
    DataFrame
        ``months``, ``threshold``, a column for each prediction, ``all``, ``none``.
    """
    death = {name: 1 - values for name, values in survival.items()}
    everybody = np.ones(len(months))
    follow_up = months, ~dead
    rows = []
    for place, month in enumerate(at.tolist()):
        predicted = {arm: values[:, place] for arm, values in death.items()}
        for threshold in THRESHOLDS.tolist():
            if max(int((values > threshold).sum()) for values in predicted.values()) < LEAST_ABOVE:
                break
            treated = {**predicted, "all": everybody}
            benefit = {name: net_benefit(*follow_up, values, month, threshold) for name, values in treated.items()}
            rows.append({"months": month, "threshold": threshold, **benefit, "none": 0.0})
    return pd.DataFrame(rows, columns=["months", "threshold", *survival, "all", "none"])
