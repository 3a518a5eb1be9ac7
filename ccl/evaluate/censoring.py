"""Kaplan-Meier curves of survival and of censoring, for statistics weighted by the probability of observation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Steps:
    """A step function that falls from 1."""

    months: NDArray[np.float64]
    """(T,) times of its steps, ascending."""
    values: NDArray[np.floating]
    """(T,) values after its steps."""

    def __call__(self, months: ArrayLike) -> NDArray[np.float64]:
        """Return the curve at some times; at a step, the value after it."""
        place = np.searchsorted(self.months, np.asarray(months, dtype=np.float64), side="right")
        return np.concatenate([[1.0], self.values])[place]


def survived_share(months: ArrayLike, censorship: ArrayLike) -> Steps:
    """Return the Kaplan-Meier curve of survival."""
    time, died, _, followed = _life_table(months, censorship)
    return Steps(time, np.cumprod(1 - died / followed))


def observed_share(months: ArrayLike, censorship: ArrayLike) -> Steps:
    """Return the Kaplan-Meier curve of censoring: the probability to be still under observation.

    Of deaths and censorings at the same time the deaths come first, so the dead were not at risk of being censored.
    """
    time, died, ended, followed = _life_table(months, censorship)
    left = followed - died
    # If all remaining patients died, none could be censored.
    return Steps(time, np.cumprod(1 - (ended - died) / np.maximum(left, 1)))


def _life_table(months: ArrayLike, censorship: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Return distinct times, with the numbers of deaths, of ends of follow-up, and of patients still followed."""
    time, place = np.unique(np.asarray(months, dtype=np.float64), return_inverse=True)
    died = np.bincount(place, weights=np.asarray(censorship) == 0).astype(np.float64)
    ended = np.bincount(place).astype(np.float64)
    followed: NDArray[np.float64] = ended[::-1].cumsum()[::-1]
    return time, died, ended, followed
