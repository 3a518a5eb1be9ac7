"""Whole sites shared out among groups of patients, such that the groups are as alike in size and events as they can be.

Howard et al. (Nat. Commun. 2021) solve this as an integer programme.  Here each of several starts puts the sites one by
one where they fit best, and then moves and swaps sites while this helps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.io.errors import ConfigError

STARTS = 20
"""Number of starts for each way that is wanted, each with another order of the sites."""

Array = NDArray[np.float64]


def share_out(patients: pd.DataFrame, shares: Sequence[float], seed: int, ways: int = 1) -> list[dict[str, int]]:
    """Return the group of each site, in one or more ways of which the best comes first.

    Parameters
    ----------
    patients : DataFrame
        ``site`` and ``censorship`` of each patient.
    shares : sequence of float
        Wanted share of each group (G) in patients and events; the sum is 1.
    seed : int
        The same seed gives the same groups.
    ways : int
        Number of ways wanted; no two of them make the same groups.

    Raises
    ------
    ConfigError
        There are fewer sites than groups, too few sites with events, or too few ways.
    """
    events = patients["censorship"].eq(0).groupby(patients["site"]).agg(["size", "sum"])
    counts = events.to_numpy(dtype=np.float64)
    target = np.outer(shares, counts.sum(axis=0))
    _check_sites(events, len(shares))
    rng = np.random.default_rng(seed)
    found = [_improve(_start(counts, target, rng), counts, target) for _ in range(STARTS * ways)]
    order = np.argsort(cost(_totals(np.array(found), counts, len(shares)), target), kind="stable")
    different: dict[frozenset[tuple[int, ...]], NDArray[np.int64]] = {}
    for place in order:
        different.setdefault(_members(found[place]), found[place])
    best = list(different.values())[:ways]
    if len(best) < ways:
        raise ConfigError(
            "the sites cannot be shared out in so many ways",
            where="config, cohort: repeats",
            found=f"{len(best)} good ways for {len(events)} sites",
            expected=f"{ways}, one for each repeat",
            todo="lower repeats, or draw patients instead of sites",
        )
    return [dict(zip(events.index.astype(str), groups.tolist(), strict=True)) for groups in best]


def _members(groups: NDArray[np.int64]) -> frozenset[tuple[int, ...]]:
    """Return the sites of each group, whatever the groups' numbers."""
    return frozenset(tuple(np.flatnonzero(groups == group).tolist()) for group in set(groups.tolist()))


def _check_sites(events: pd.DataFrame, groups: int) -> None:
    """Raise ConfigError for fewer sites with events than groups; `events` has ``size`` and ``sum`` by site."""
    with_events = int((events["sum"] > 0).sum())
    if with_events < groups:
        largest = events["size"].idxmax()
        raise ConfigError(
            "too few sites for the folds",
            where="config, cohort: by: site",
            found=f"{len(events)} sites, {with_events} of them with events; the largest, {largest}, has"
            f" {100 * events['size'].max() / events['size'].sum():.0f} % of the patients",
            expected=f"{groups} sites with events or more, so that each group has one",
            todo="lower n_folds, or draw patients instead of sites",
        )


def cost(totals: Array, target: Array) -> Array:
    """Return how far groups (..., G, 2) of patients and events are from the target (G, 2): 0 if they are alike.

    It is chi-square over the total, summed over patients and events; a group without events costs more than any other
    difference.
    """
    unequal = ((totals - target) ** 2 / target / target.sum(axis=0)).sum(axis=(-2, -1))
    return np.asarray(unequal + 100 * (totals[..., 1] == 0).sum(axis=-1), dtype=np.float64)


def _totals(groups: NDArray[np.int64], counts: Array, size: int) -> Array:
    """Return patients and events of each group (..., G, 2) where the sites (..., S) are in these groups."""
    totals: Array = np.swapaxes(groups[..., None] == np.arange(size), -1, -2) @ counts
    return totals


def _start(counts: Array, target: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Put each site into the group that is least filled, large sites first; noise varies their order."""
    order = np.argsort(-counts.sum(axis=1) * rng.uniform(0.7, 1.3, size=len(counts)), kind="stable")
    groups, totals = np.zeros(len(counts), dtype=np.int64), np.zeros_like(target)
    for site in order:
        groups[site] = int(np.argmin((totals / target).sum(axis=1)))
        totals[groups[site]] += counts[site]
    return groups


def _improve(groups: NDArray[np.int64], counts: Array, target: Array) -> NDArray[np.int64]:
    """Move single sites and swap pairs of sites, the best step first, until no step makes the groups more alike."""
    now = float(cost(_totals(groups, counts, len(target)), target))
    while True:
        steps = np.concatenate([_moves(groups, len(target)), _swaps(groups)])
        costs = cost(_totals(steps, counts, len(target)), target)
        if costs.min() >= now - 1e-12:
            return groups
        groups, now = steps[int(np.argmin(costs))], float(costs.min())


def _moves(groups: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return the groups after each move of a site, (S * G, S)."""
    site, group = np.divmod(np.arange(len(groups) * size), size)
    moved = np.tile(groups, (len(site), 1))
    moved[np.arange(len(site)), site] = group
    return moved


def _swaps(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the groups after each swap of two sites, (S * (S - 1) / 2, S)."""
    one, other = np.triu_indices(len(groups), 1)
    swapped, rows = np.tile(groups, (len(one), 1)), np.arange(len(one))
    swapped[rows, one], swapped[rows, other] = groups[other], groups[one]
    return swapped
