"""Survival intervals: follow-up time in n classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ccl.io.errors import ConfigError

MARGIN_MONTHS = 1e-6
"""The outer edges lie this far beyond the shortest and the longest follow-up."""


def interval_edges(months: ArrayLike, censorship: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the n + 1 edges in months: quantiles of the times of death, the outer ones widened to all patients.

    Parameters
    ----------
    months : array_like, shape (P,)
        Follow-up of the patients that the edges may know.
    censorship : array_like, shape (P,)
        1 = censored, 0 = death observed.
    n : int
        Number of intervals.

    Raises
    ------
    ConfigError
        The patients died at fewer than n different times, or so many at one time that two edges coincide.
    """
    time = np.asarray(months, dtype=np.float64)
    died = time[np.asarray(censorship) == 0]
    distinct = len(np.unique(died))
    edges = np.quantile(died, np.linspace(0, 1, n + 1)) if distinct >= n else np.zeros(n + 1)
    if not (np.diff(edges) > 0).all():
        raise ConfigError(
            f"the times of death do not fill {n} survival intervals",
            where="config, train: intervals",
            found=f"{len(died)} deaths at {distinct} different times, among {len(time)} patients",
            expected=f"deaths at {n} or more different times, no time so common that it spans an interval",
            todo="lower `train: intervals`, or train on more patients",
        )
    edges[0], edges[-1] = time.min() - MARGIN_MONTHS, time.max() + MARGIN_MONTHS
    return edges


def interval_labels(months: ArrayLike, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the interval, 0 to n - 1, of each follow-up (P,): its left edge belongs to it, its right one does not.

    Follow-up outside the outer edges falls into the first or the last interval.
    """
    return np.searchsorted(edges[1:-1], np.asarray(months, dtype=np.float64), side="right").astype(np.int64)
