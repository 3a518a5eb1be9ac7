"""Survival intervals: follow-up time in n classes, and the survival curve over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ccl.io.errors import ConfigError

MARGIN_MONTHS = 1e-6
"""The outer edges are this far beyond the shortest and the longest follow-up."""


def interval_edges(months: ArrayLike, censorship: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the n + 1 edges in months: quantiles of the times of death, the outer ones widened to all patients.

    Parameters
    ----------
    months : array_like, shape (P,)
        Follow-up of the patients that the edges are computed from.
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
    """Return the interval, 0 to n - 1, of each follow-up (P,).  An interval includes its left edge, not its right one.

    Follow-up outside the outer edges falls into the first or the last interval.
    """
    return np.searchsorted(edges[1:-1], np.asarray(months, dtype=np.float64), side="right").astype(np.int64)


def survival_at(survival: ArrayLike, edges: ArrayLike, months: ArrayLike) -> NDArray[np.float64]:
    """Return predicted survival at some times.  All stages use this one curve.

    It is 1 at month 0, has the predicted values at the right edges of the intervals, and is linear in between.

    Parameters
    ----------
    survival : array_like, shape (..., n)
        Survival functions at the right edges of n intervals.
    edges : array_like, shape (n + 1,)
        Edges of the intervals in months.
    months : array_like, shape (T,)
        Times.

    Returns
    -------
    ndarray, shape (..., T)
        NaN beyond the last edge.
    """
    values = np.asarray(survival, dtype=np.float64)
    curves = np.concatenate([np.ones((*values.shape[:-1], 1)), values], axis=-1)
    corners = np.concatenate([[0.0], np.asarray(edges, dtype=np.float64)[1:]])
    # Interpolation is linear in the values at the corners: that of each unit vector is a row of the matrix.
    matrix = np.stack([np.interp(np.asarray(months), corners, unit, right=np.nan) for unit in np.eye(len(corners))])
    found: NDArray[np.float64] = curves @ matrix
    return found
