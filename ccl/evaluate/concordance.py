"""Concordance: Harrell's C-index with the tie rules of scikit-survival, its bootstrap, and Uno's C."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ccl.evaluate.censoring import observed_share
from ccl.io.errors import ModelError

TIED_TOLERANCE = 1e-8
"""Two risks no further apart than this are tied, and their pair counts one half."""

PAIRS_AT_ONCE = 1 << 24
"""Pairs that are compared in one step, which bounds the memory for large cohorts."""


def concordance_index(months: ArrayLike, censorship: ArrayLike, risk: ArrayLike) -> float:
    """Return the share of comparable pairs of patients in which the one with the higher risk dies first.

    A pair is comparable if the shorter follow-up ended in death, or if both are equally long and exactly one
    ended in death (that one counts as the shorter).  Tied risks count one half.

    Parameters
    ----------
    months : array_like, shape (P,)
        Follow-up times.
    censorship : array_like, shape (P,)
        1 = censored, 0 = death observed.
    risk : array_like, shape (P,)
        Any score that grows with the risk of death.

    Returns
    -------
    float
        Between 0 and 1; NaN if no pair of patients is comparable.

    Raises
    ------
    ModelError
        A risk is NaN or infinite.
    """
    comparable = concordant = 0.0
    for _, pairs, won in _pairs(months, censorship, risk):
        comparable += float(np.count_nonzero(pairs))
        concordant += float(won.sum(dtype=np.float64))
    return concordant / comparable if comparable else float("nan")


def comparable_pairs(months: ArrayLike, censorship: ArrayLike) -> int:
    """Return the number of pairs of patients that :func:`concordance_index` compares."""
    nothing = np.zeros(np.shape(months))
    return sum(int(np.count_nonzero(pairs)) for _, pairs, _ in _pairs(months, censorship, nothing))


def resampled_concordance(
    months: ArrayLike, censorship: ArrayLike, risk: ArrayLike, counts: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the C-index of R resamples of the patients: (R,), NaN if no pair is comparable.

    Parameters
    ----------
    months, censorship, risk
        As in :func:`concordance_index`.
    counts : ndarray of int, shape (R, P)
        How often each patient is in each resample.  A patient drawn twice is not comparable with itself.

    Raises
    ------
    ModelError
        A risk is NaN or infinite.
    """
    # Products of small counts and halves, summed over one row of pairs, are exact in float32.
    drawn = counts.astype(np.float32)
    comparable, concordant = np.zeros(len(drawn)), np.zeros(len(drawn))
    for rows, pairs, won in _pairs(months, censorship, risk):
        own = drawn[:, rows]
        comparable += np.einsum("rb,rb->r", drawn @ pairs.T.astype(np.float32), own, dtype=np.float64)
        concordant += np.einsum("rb,rb->r", drawn @ won.T, own, dtype=np.float64)
    found = np.full(len(drawn), np.nan)
    np.divide(concordant, comparable, out=found, where=comparable > 0)
    return found


def uno_concordance(months: ArrayLike, censorship: ArrayLike, risk: ArrayLike, tau: float) -> float:
    """Return Uno's C: the C-index of pairs whose death came before `tau`, corrected for censoring.

    Harrell's C-index depends on who happened to be censored.  Here a pair is weighted by the inverse square of the
    probability to be observed until its death, estimated from the same patients (Uno et al., Statistics in Medicine
    2011).

    Parameters
    ----------
    months, censorship, risk
        As in :func:`concordance_index`.
    tau : float
        Months; no later than the longest follow-up.

    Returns
    -------
    float
        Between 0 and 1; NaN if no pair of patients is comparable.

    Raises
    ------
    ModelError
        A risk is NaN or infinite.
    """
    time = np.asarray(months, dtype=np.float64)
    before = time < tau
    weights = np.zeros(len(time))
    weights[before] = observed_share(time, censorship)(time[before]) ** -2.0
    comparable = concordant = 0.0
    for rows, pairs, won in _pairs(time, censorship, risk):
        comparable += float(weights[rows] @ pairs.sum(axis=1))
        concordant += float(weights[rows] @ won.sum(axis=1, dtype=np.float64))
    return concordant / comparable if comparable else float("nan")


def _pairs(
    months: ArrayLike, censorship: ArrayLike, risk: ArrayLike
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.float32]]]:
    """Yield some patients who died (B,), with whom each is comparable (B, P), and what each pair counts: 0, 0.5 or 1.

    A pair that is not comparable counts 0.
    """
    time = np.asarray(months, dtype=np.float64)
    death = np.asarray(censorship) == 0
    score = np.asarray(risk, dtype=np.float64)
    if not np.isfinite(score).all():
        raise ModelError(
            "a risk is not a number, so patients cannot be ordered by it",
            found=f"{np.count_nonzero(~np.isfinite(score))} of {score.size} risks are NaN or infinite",
            expected="finite risks",
        )
    died = np.flatnonzero(death)
    step = max(1, PAIRS_AT_ONCE // max(1, time.size))
    for start in range(0, died.size, step):
        rows = died[start : start + step]
        column = rows[:, None]
        pairs = (time[column] < time) | ((time[column] == time) & ~death)
        ties = np.abs(score[column] - score) <= TIED_TOLERANCE
        won = np.where(ties, np.float32(0.5), (score[column] > score).astype(np.float32))
        yield rows, pairs, np.where(pairs, won, np.float32(0))
