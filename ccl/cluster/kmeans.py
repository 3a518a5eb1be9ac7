"""K-means of one bag of patches: Lloyd's iterations of all restarts side by side.

Each iteration reads the patches once and compares them with the centres of all restarts.  Three techniques reduce the
number of patches read, and none changes the result.  Bounds on the distances exclude most patches from changing their
cluster (Elkan, ICML 2003).  The sums of the clusters are corrected only by the patches that changed.  A restart that
has converged leaves the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ccl.cluster.bag import Bag

Empty = Literal["reseed", "zero"]

TOLERANCE = 1e-4
"""A restart has settled when its centres moved by no more than this share of the mean variance of a feature (squared
distances, summed over centres), or no patch changed its cluster: scikit-learn's rule and default."""

MAX_ITERATIONS = 300

SLACK = 1e-4
"""Relative rounding error that the bounds allow for."""


@dataclass(frozen=True)
class Clustering:
    """The clusters of one bag.  Every centre is the mean of its patches; that of an empty cluster is zero."""

    centres: NDArray[np.float32]
    """(k, D)"""
    sizes: NDArray[np.int64]
    """(k,) number of patches of each cluster."""
    labels: NDArray[np.int64]
    """(N,) the cluster of each patch."""
    inertia: float
    """Sum of the squared distances of the patches from their centres."""


def kmeans(bag: Bag, k: int, *, restarts: int, seed: int, empty: Empty) -> Clustering:
    """Cluster a bag from several random starts, and return the best result.

    Parameters
    ----------
    bag : Bag
        At least `k` patches; with ``empty="reseed"`` at least `k` different ones.
    k : int
        Clusters.
    restarts : int
        Number of starts; the result with the least inertia is kept. Restart number r is the same for any `restarts`.
    seed : int
        Seed of the starts.  The result depends on the number of BLAS threads, so limit BLAS to one thread.
    empty : {"reseed", "zero"}
        Treatment of an empty cluster: it gets the patch farthest from its centre, or the zero vector as its centre.

    Returns
    -------
    Clustering

    Notes
    -----
    Memory in addition to the bag is some 16 bytes per patch, cluster and restart for distances and bounds, three
    float64 arrays of restarts x k x D, and blocks of 1 MiB: 6 MB for 15,000 x 1024, k = 6, 3 restarts.  No array has
    N x k x D values.
    """
    return lloyd(bag, seed_centres(bag, k, restarts=restarts, seed=seed), empty=empty)


def seed_centres(bag: Bag, k: int, *, restarts: int, seed: int) -> NDArray[np.float64]:
    """Choose patches as initial centres by greedy k-means++ (Arthur and Vassilvitskii, SODA 2007).

    Each further patch is the best of ``2 + int(log(k))`` candidates, drawn in proportion to their squared distance
    from the nearest patch already chosen, as in scikit-learn.

    Returns
    -------
    (restarts, k, D) array
    """
    generators = [np.random.default_rng((seed, restart)) for restart in range(restarts)]
    trials = 2 + int(np.log(k))
    each = np.arange(restarts)
    chosen = np.empty((restarts, k), dtype=np.intp)
    chosen[:, 0] = [generator.integers(len(bag)) for generator in generators]
    nearest = bag.squared_distances(_points(bag, chosen[:, 0]), bag.everyone)
    for step in range(1, k):
        candidates = np.stack([_draw(*pair, trials) for pair in zip(generators, nearest, strict=True)])
        after = bag.squared_distances(_points(bag, candidates.ravel()), bag.everyone).reshape(restarts, trials, -1)
        np.minimum(after, nearest[:, None], out=after)
        best = after.sum(axis=2, dtype=np.float64).argmin(axis=1)
        chosen[:, step], nearest = candidates[each, best], after[each, best]
    return _points(bag, chosen.ravel()).reshape(restarts, k, -1)


def _draw(generator: np.random.Generator, weights: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Draw positions in proportion to their weights; if all weights are zero, the last position."""
    reach = np.cumsum(weights, dtype=np.float64)
    drawn = np.searchsorted(reach, generator.random(count) * reach[-1], side="right")
    positions: NDArray[np.intp] = np.minimum(drawn, len(weights) - 1)
    return positions


def _points(bag: Bag, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the patches at `index` in any order, in double precision."""
    ascending, back = np.unique(index, return_inverse=True)
    return bag.rows(ascending)[back].astype(np.float64)


def lloyd(
    bag: Bag,
    starts: NDArray[np.float64],
    *,
    empty: Empty,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> Clustering:
    """Run Lloyd's iterations from given centres, and return the best result.

    Parameters
    ----------
    bag : Bag
        The patches.
    starts : (restarts, k, D) array
        Initial centres of each restart.
    empty : {"reseed", "zero"}
        As in :func:`kmeans`.
    tolerance : float
        See :data:`TOLERANCE`; with 0, a restart continues until no patch changes its cluster.
    max_iterations : int
        Largest number of iterations of a restart.
    """
    running = _Restarts(bag, starts, empty)
    best: Clustering | None = None
    for iteration in range(max_iterations):
        settled = running.step(tolerance)
        if iteration == max_iterations - 1:
            settled[:] = True
        for restart in np.flatnonzero(settled):
            outcome = running.outcome(restart)
            best = outcome if best is None or outcome.inertia < best.inertia else best
        if settled.all():
            break
        if settled.any():
            running.keep(~settled)
    assert best is not None, "there is at least one restart and one iteration"
    return best


class _Restarts:
    """The state of R restarts between two iterations."""

    def __init__(self, bag: Bag, starts: NDArray[np.float64], empty: Empty) -> None:
        restarts, k, _ = starts.shape
        self.bag, self.empty, self.centres = bag, empty, starts
        self.sums = np.zeros_like(starts)
        """(R, k, D) sums of each cluster's patches."""
        self.sizes = np.zeros((restarts, k), dtype=np.int64)
        self.labels = np.full((restarts, len(bag)), -1, dtype=np.int32)
        self.upper = np.full(self.labels.shape, np.inf, dtype=np.float32)
        """(R, N) upper bounds of the distances from the own centre."""
        self.lower = np.zeros((restarts, k, len(bag)), dtype=np.float32)
        """(R, k, N) lower bounds of the distances from other centres; infinite for the own centre."""

    def step(self, tolerance: float) -> NDArray[np.bool_]:
        """Assign patches to their nearest centre, move the centres to the means, and return which converged (R,)."""
        before = self.labels.copy()
        doubtful = (self.upper * (1 + SLACK) >= self.lower.min(axis=1)).any(axis=0)
        # Neighbours are read in place; picking out more than half of them would cost more than it saves.
        self._assign(self.bag.everyone if doubtful.mean() > 0.5 else np.flatnonzero(doubtful))
        if self.empty == "reseed" and not self.sizes.all():
            self._reseed()
        changed = self.labels != before
        self._move(np.flatnonzero(changed.any(axis=0)), before)
        self.sums[self.sizes == 0] = 0  # instead of rounding errors from patches that came and went
        centres = self.sums / np.maximum(self.sizes, 1)[..., None]
        shifts = np.linalg.norm(centres - self.centres, axis=2)
        self.centres = centres
        self.upper += np.take_along_axis(shifts, self.labels, axis=1)
        self.lower -= shifts[..., None]
        variance = self.bag.spread.sum(dtype=np.float64) / (len(self.bag) * self.bag.dim)
        settled: NDArray[np.bool_] = ((shifts**2).sum(axis=1) <= tolerance * variance) | ~changed.any(axis=1)
        return settled

    def _assign(self, rows: NDArray[np.intp]) -> None:
        """Assign the patches at `rows` to their nearest centre, with exact bounds."""
        restarts, k, dim = self.centres.shape
        distances = self.bag.squared_distances(self.centres.reshape(-1, dim), rows).reshape(restarts, k, -1)
        np.sqrt(distances, out=distances)
        nearest = distances.argmin(axis=1)
        self.labels[:, rows] = nearest
        self.upper[:, rows] = distances.min(axis=1)
        np.put_along_axis(distances, nearest[:, None], np.inf, axis=1)
        self.lower[:, :, rows] = distances
        self.sizes = np.stack([np.bincount(own, minlength=k) for own in self.labels])

    def _reseed(self) -> None:
        """Give each empty cluster the patch farthest from its centre, among patches that are not alone in a cluster."""
        self._assign(self.bag.everyone)  # exact distances instead of bounds
        for restart, cluster in np.argwhere(self.sizes == 0):
            labels, sizes, upper = self.labels[restart], self.sizes[restart], self.upper[restart]
            patch = np.where(sizes[labels] > 1, upper, -1).argmax()
            sizes[labels[patch]] -= 1
            sizes[cluster] += 1
            labels[patch] = cluster
            upper[patch] = np.inf  # the bounds were those of another cluster

    def _move(self, rows: NDArray[np.intp], before: NDArray[np.int32]) -> None:
        """Subtract the patches at `rows` from the sums of their old clusters, and add them to the new ones."""
        restarts, k, dim = self.centres.shape
        clusters = np.arange(k)[:, None]
        weights = (self.labels[:, None, rows] == clusters).astype(np.float32)
        weights -= before[:, None, rows] == clusters
        self.sums += self.bag.sums(weights.reshape(restarts * k, -1), rows).reshape(restarts, k, dim)

    def keep(self, those: NDArray[np.bool_]) -> None:
        """Keep only some of the restarts."""
        for name in ("centres", "sums", "sizes", "labels", "upper", "lower"):
            setattr(self, name, getattr(self, name)[those])

    def outcome(self, restart: np.intp) -> Clustering:
        """Return the current clusters of one restart."""
        centres, sizes = self.centres[restart], self.sizes[restart]
        # Huygens' theorem: the inertia is the spread around the mean minus the spread of the centres.
        explained = (sizes * ((centres - self.bag.mean) ** 2).sum(axis=1)).sum()
        inertia = max(0.0, float(self.bag.spread.sum(dtype=np.float64) - explained))
        return Clustering(centres.astype(np.float32), sizes, self.labels[restart].astype(np.int64), inertia)
