"""The range of the training data, and whether a new patient lies within it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ccl.data.scaling import Scaler
from ccl.io.formats import ManifestRow, coords_attributes

MARGIN = 1.0
"""A value is outside if it is this many standard deviations below the minimum or above the maximum in training."""

WARN_ABOVE = 0.05
"""Warn if more than this share of a patient's columns is outside."""

QUANTILE = 0.99
"""Warn if a patient's distance is above this quantile of the training patients' own."""

SAME_SCALE = 0.05
"""Two scales count as equal up to this relative difference."""

SCALES = ("level0_mpp", "target_mpp")


@dataclass(frozen=True)
class GeneRange:
    """Minimum and maximum (n,) of a family's columns in training, with a margin; NaN if no value was known."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.floating]) -> GeneRange:
        """Fit to the values (P, n) of the training patients, ignoring NaN."""
        margin = MARGIN * Scaler.fit(values).scale
        return cls(np.fmin.reduce(values, axis=0) - margin, np.fmax.reduce(values, axis=0) + margin)

    def outside(self, values: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which of the values (P, n) lie outside the range; a missing value is never outside."""
        return (values < self.low) | (values > self.high)


@dataclass(frozen=True)
class FeatureRange:
    """The distance of a patient's mean patch from that of the training patients, and its limit."""

    scaler: Scaler
    limit: float

    @classmethod
    def fit(cls, means: NDArray[np.floating]) -> FeatureRange:
        """Fit to the mean patches (P, D) of the training patients."""
        scaler = Scaler.fit(means)
        return cls(scaler, float(np.quantile(_length(scaler, means), QUANTILE)))

    def distance(self, means: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distance (P,): root mean square over D, each feature in training standard deviations."""
        return _length(self.scaler, means)


def _length(scaler: Scaler, means: NDArray[np.floating]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt(np.square(scaler.apply(means).astype(np.float64)).mean(axis=1))
    return lengths


def scales_of(rows: Iterable[ManifestRow]) -> dict[str, list[float]]:
    """Return the distinct ``level0_mpp`` and ``target_mpp`` of slides (um/px), as far as their files state them."""
    told = [coords_attributes(Path(row.path)) for row in rows]
    return {
        name: sorted({float(f"{float(attributes[name]):.3g}") for attributes in told if name in attributes})
        for name in SCALES
    }


def other_scales(rows: Sequence[ManifestRow], known: Mapping[str, Sequence[float]]) -> list[str]:
    """Return a warning for each scale of a patient's slides that no training slide has."""
    words = {"level0_mpp": "slides of {} um/px, in training {}", "target_mpp": "patches of {} um/px, in training {}"}
    warnings = []
    for name, scales in scales_of(rows).items():
        new = [x for x in scales if not any(abs(x / y - 1) <= SAME_SCALE for y in known[name])]
        if new and known[name]:
            warnings.append(words[name].format(*(", ".join(f"{x:g}" for x in each) for each in (new, known[name]))))
    return warnings
