"""Benchmark: the K-means of the cluster stage against scikit-learn's.

One bag at a time (threads = 1), or two at once in two processes (threads = 2), as the stage does it; BLAS has one
thread in each.  Prints, per kind of features, the seconds a bag takes, the peak of the arrays beyond the bag itself,
and the inertia relative to scikit-learn's from as many restarts: of the timed bags, and of many small ones, since that
of one bag is a matter of luck with the starts.  Each seed draws other features and other starts.

The features are synthetic: `sparse` are non-negative as those of a ResNet behind its last rectifier, with groups;
`dense` are of both signs without any groups, the hardest case for bounds on distances; float16 is how they are stored.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from ccl.cluster.bag import Bag
from ccl.cluster.kmeans import kmeans

Patches = NDArray[np.floating[Any]]

PATCHES, SMALL, DIM, K, RESTARTS = 15_000, 2_000, 1024, 6, 3


def sparse(rng: np.random.Generator, count: int) -> Patches:
    """Return rectified mixtures of eight groups along 24 directions."""
    groups = 0.7 * rng.normal(size=(8, 24))[rng.integers(8, size=count)]
    hidden = groups + rng.normal(size=(count, 24)) * np.linspace(1, 0.2, 24)
    values = hidden @ rng.normal(size=(24, DIM)) / np.sqrt(24) + 0.4 * rng.normal(size=(count, DIM)) - 0.5
    return (0.3 * np.maximum(values, 0)).astype(np.float32)


def dense(rng: np.random.Generator, count: int) -> Patches:
    """Return one cloud along 64 directions, with noise."""
    hidden = rng.normal(size=(count, 64)) * np.linspace(1, 0.1, 64)
    return (hidden @ rng.normal(size=(64, DIM)) / 8 + 0.3 * rng.normal(size=(count, DIM))).astype(np.float32)


def ours(patches: Patches, seed: int) -> float:
    """Cluster as the stage does, and return the inertia."""
    return kmeans(Bag([patches]), K, restarts=RESTARTS, seed=seed, empty="reseed").inertia


def theirs(patches: Patches, seed: int) -> float:
    """Cluster with scikit-learn, which computes float16 in float64 unless it is made float32 first."""
    return float(KMeans(K, n_init=RESTARTS, random_state=seed).fit(patches.astype(np.float32, copy=False)).inertia_)


KINDS: dict[str, Callable[[np.random.Generator, int], Patches]] = {
    "sparse float32": sparse,
    "sparse float16": lambda rng, count: sparse(rng, count).astype(np.float16),
    "dense float32": dense,
}
METHODS: dict[str, Callable[[Patches, int], float]] = {"ccl": ours, "scikit-learn": theirs}


def measure(kind: str, method: str, seed: int, count: int) -> dict[str, Any]:
    """Cluster one bag, and say what it took."""
    patches, cluster = KINDS[kind](np.random.default_rng(seed), count), METHODS[method]
    with threadpool_limits(1):
        cluster(patches[:500], seed)  # what is loaded on first use is not measured
        start = time.perf_counter()
        inertia = cluster(patches, seed)
        seconds = time.perf_counter() - start
        if count == PATCHES and seed == 0:
            tracemalloc.start()
            cluster(patches, seed)
            peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
        else:
            peak_mb = np.nan
    return {"kind": kind, "method": method, "seed": seed, "seconds": seconds, "peak_mb": peak_mb, "inertia": inertia}


def measure_all(count: int, seeds: int, threads: int) -> pd.DataFrame:
    """Measure every kind and method on `seeds` bags of `count` patches."""
    jobs = [(kind, method, seed, count) for kind in KINDS for seed in range(seeds) for method in METHODS]
    with multiprocessing.get_context("spawn").Pool(threads) as pool:
        return pd.DataFrame(pool.starmap(measure, jobs, chunksize=1)).assign(threads=threads)


def ratios(table: pd.DataFrame) -> str:
    """Return the distribution over bags of our inertia over scikit-learn's."""
    pairs = table.pivot(index=["kind", "seed"], columns="method", values="inertia")
    ratio = (pairs["ccl"] / pairs["scikit-learn"]).groupby("kind")
    return str(ratio.describe(percentiles=[0.05, 0.5, 0.95]).round(4).to_string())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="timed bags of each kind")
    parser.add_argument("--small", type=int, default=200, help="small bags of each kind")
    given = parser.parse_args()
    timed = pd.concat([measure_all(PATCHES, given.seeds, threads) for threads in (1, 2)])
    print(f"{PATCHES:,} patches x {DIM}, k = {K}, {RESTARTS} restarts; synthetic features\n")
    groups = timed.groupby(["kind", "threads", "method"])
    print(groups.agg(median_s=("seconds", "median"), max_s=("seconds", "max"), peak_mb=("peak_mb", "max")).round(2))
    print(f"\ninertia, ccl / scikit-learn\n{ratios(timed[timed['threads'] == 1])}", flush=True)
    print(f"\nthe same, {SMALL:,} patches\n{ratios(measure_all(SMALL, given.small, threads=1))}")


if __name__ == "__main__":
    main()
