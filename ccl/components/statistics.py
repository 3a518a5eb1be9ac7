"""Statistics for the claims of Figure 8.

Components differ, the shared ones lie between the specific ones, and risk groups form clusters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import silhouette_score

from ccl.components.vectors import Vectors

COLUMNS = ("statistic", "first", "second", "mean", "std", "folds")

SPECIFIC = ("genomic-specific", "pathology-specific")

Key = tuple[str, str, str]
"""Name of a statistic, and the one or two components that it describes."""


def similarity(folds: Sequence[Vectors]) -> pd.DataFrame:
    """Return ``similarity.csv`` (docs/formats.md): mean and deviation over folds; seeds are averaged within a fold."""
    keys = list(_keys(folds[0].components))
    networks = [pd.DataFrame([_statistics(fold, values, keys) for values in fold.values]) for fold in folds]
    by_fold = pd.DataFrame([seeds.mean() for seeds in networks])
    table = pd.DataFrame(keys, columns=list(COLUMNS[:3]))
    return table.assign(mean=by_fold.mean(), std=by_fold.std(ddof=0), folds=by_fold.notna().sum())


def _keys(components: Sequence[str]) -> Iterator[Key]:
    yield from (("cosine", *pair) for pair in combinations(components, 2))
    if set(SPECIFIC) <= set(components):
        yield from (("between", name, "") for name in components if name not in SPECIFIC)
    yield ("silhouette_components", "", "")
    yield from (("silhouette_groups", name, "") for name in components)


def _statistics(fold: Vectors, values: NDArray[np.float64], keys: Sequence[Key]) -> list[float]:
    """Return the statistics of one network from the components (P, T, d) of its patients."""
    at = {name: place for place, name in enumerate(fold.components)}
    cosine = cosines(values)
    died = fold.patients["censorship"].to_numpy() == 0
    groups = fold.patients["group"].to_numpy()[died]
    found = []
    for kind, first, second in keys:
        if kind == "cosine":
            found.append(_mean(cosine[:, at[first], at[second]]))
        elif kind == "between":
            genomic, pathology = (at[name] for name in SPECIFIC)
            further = cosine[:, at[first], [genomic, pathology]].min(axis=1)
            found.append(_mean(further - cosine[:, genomic, pathology]))
        elif kind == "silhouette_components":
            labels = np.tile(np.arange(len(at)), len(values))
            found.append(_silhouette(values.reshape(len(labels), -1), labels))
        else:
            found.append(_silhouette(values[died, at[first]], groups))
    return found


def cosines(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosines (P, T, T) of each patient's components (P, T, d); NaN for a component that is zero."""
    lengths = np.linalg.norm(values, axis=2, keepdims=True)
    units = np.divide(values, lengths, out=np.full_like(values, np.nan), where=lengths > 0)
    return np.asarray(units @ units.transpose(0, 2, 1))


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _silhouette(points: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the mean silhouette (Rousseeuw 1987) by Euclidean distance; NaN if it is not defined."""
    if not 2 <= len(np.unique(labels)) < len(labels):
        return math.nan
    return float(silhouette_score(points, labels))
