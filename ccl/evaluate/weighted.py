"""AUC and Brier score at a time, weighted for censoring.

Patients censored before a time are not known to be dead or alive at it.  The other patients represent them: each is
weighted by the inverse of the probability to be observed as long, from the Kaplan-Meier curve of censoring.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ccl.evaluate.censoring import observed_share
from ccl.evaluate.concordance import TIED_TOLERANCE


def auc_at(months: ArrayLike, censorship: ArrayLike, risk: ArrayLike, at: float) -> float:
    """Return the cumulative/dynamic AUC: how often one who died by `at` has a higher risk than one alive beyond it.

    Tied risks count one half (Uno et al., Journal of the American Statistical Association 2007; Hung and Chiang,
    Canadian Journal of Statistics 2010).

    Parameters
    ----------
    months, censorship, risk
        As in :func:`ccl.evaluate.concordance.concordance_index`.
    at : float
        Months; before the longest follow-up.

    Returns
    -------
    float
        Between 0 and 1; NaN if nobody is known to have died by then, or nobody to be alive.
    """
    time, score = np.asarray(months, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    dead, alive = known_at(time, censorship, at)
    if not (dead.any() and alive.any()):
        return float("nan")
    weights = 1 / observed_share(time, censorship)(time[dead])
    others = np.sort(score[alive])
    below = np.searchsorted(others, score[dead] - TIED_TOLERANCE, side="left")
    up_to = np.searchsorted(others, score[dead] + TIED_TOLERANCE, side="right")
    return float(weights @ (below + up_to) / (2 * weights.sum() * len(others)))


def brier_scores(
    months: ArrayLike, censorship: ArrayLike, survival: NDArray[np.float64], at: ArrayLike
) -> NDArray[np.float64]:
    """Return the mean squared error of predicted survival, weighted for censoring (Graf et al., Stat. Med. 1999).

    Parameters
    ----------
    months, censorship
        Follow-up (P,).
    survival : ndarray, shape (P, T) or (T,)
        Predicted probability to be alive at each of some times, of each patient or of all alike.
    at : array_like, shape (T,)
        These times (months); before the longest follow-up.

    Returns
    -------
    ndarray, shape (T,)
    """
    time, when = np.asarray(months, dtype=np.float64), np.asarray(at, dtype=np.float64)
    observed = observed_share(time, censorship)
    dead, alive = known_at(time[:, None], np.asarray(censorship)[:, None], when)
    # The weight of the longest follow-up may be infinite; no time reaches it.
    weight_dead = np.divide(1.0, observed(time)[:, None], out=np.zeros(dead.shape), where=dead)
    weight_alive = np.where(alive, 1 / observed(when), 0.0)
    error = weight_dead * survival**2 + weight_alive * (1 - survival) ** 2
    scores: NDArray[np.float64] = error.mean(axis=0)
    return scores


def known_at(
    time: NDArray[np.float64], censorship: ArrayLike, at: NDArray[np.float64] | float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who is known to have died by a time, and who to be alive beyond it."""
    return (time <= at) & (np.asarray(censorship) == 0), time > at
