"""Harrell's concordance index, with the tie rules of scikit-survival."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ccl.errors import ModelError

TIED_TOLERANCE = 1e-8
"""Two risks no further apart than this are tied, and their pair counts one half."""

PAIRS_AT_ONCE = 1 << 24
"""How many pairs are compared in one step, which bounds the memory for large cohorts."""


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
    time = np.asarray(months, dtype=np.float64)
    death = np.asarray(censorship) == 0
    score = np.asarray(risk, dtype=np.float64)
    if not np.isfinite(score).all():
        raise ModelError(
            "a risk is not a number, so patients cannot be ordered by it",
            found=f"{np.count_nonzero(~np.isfinite(score))} of {score.size} risks are NaN or infinite",
            expected="finite risks",
        )
    comparable = concordant = tied = 0
    died = np.flatnonzero(death)
    step = max(1, PAIRS_AT_ONCE // max(1, time.size))
    for start in range(0, died.size, step):
        rows = died[start : start + step, None]
        pairs = (time[rows] < time) | ((time[rows] == time) & ~death)
        ties = np.abs(score[rows] - score) <= TIED_TOLERANCE
        comparable += int(np.count_nonzero(pairs))
        tied += int(np.count_nonzero(pairs & ties))
        concordant += int(np.count_nonzero(pairs & ~ties & (score[rows] > score)))
    return (concordant + 0.5 * tied) / comparable if comparable else float("nan")
