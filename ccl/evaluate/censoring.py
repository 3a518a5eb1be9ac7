"""How long patients are observed: what weights those whose death was seen in place of those who were censored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Steps:
    """A curve that falls from 1 in steps."""

    months: NDArray[np.float64]
    """(T,) where it falls, ascending."""
    values: NDArray[np.floating]
    """(T,) what it falls to."""

    def __call__(self, months: ArrayLike) -> NDArray[np.float64]:
        """Return the curve at some times; a step counts at its own time."""
        place = np.searchsorted(self.months, np.asarray(months, dtype=np.float64), side="right")
        return np.concatenate([[1.0], self.values])[place]


def survived_share(months: ArrayLike, censorship: ArrayLike) -> Steps:
    """Return the Kaplan-Meier curve of survival."""
    time, died, _, followed = _life_table(months, censorship)
    return Steps(time, np.cumprod(1 - died / followed))


def observed_share(months: ArrayLike, censorship: ArrayLike) -> Steps:
    """Return the Kaplan-Meier curve of censoring: the probability to be still under observation.

    Of deaths and censorings at one time the deaths come first, so the dead were not at risk of being censored.
    """
    time, died, ended, followed = _life_table(months, censorship)
    left = followed - died
    # Where all who were left died, nobody was there to be censored.
    return Steps(time, np.cumprod(1 - (ended - died) / np.maximum(left, 1)))


def _life_table(months: ArrayLike, censorship: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Return distinct times, and at each who died, whose follow-up ended, and who was followed at least that long."""
    time, place = np.unique(np.asarray(months, dtype=np.float64), return_inverse=True)
    died = np.bincount(place, weights=np.asarray(censorship) == 0).astype(np.float64)
    ended = np.bincount(place).astype(np.float64)
    followed: NDArray[np.float64] = ended[::-1].cumsum()[::-1]
    return time, died, ended, followed
