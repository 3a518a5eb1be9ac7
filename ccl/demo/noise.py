"""Random fields for the synthetic slides."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


def noise(rng: np.random.Generator, shape: tuple[int, int], scale: tuple[float, float]) -> Field:
    """Return smooth noise of about unit variance whose bumps are `scale` px high and wide, (H, W) float32."""
    coarse = tuple(max(2, round(side / step) + 3) for side, step in zip(shape, scale, strict=True))
    small = rng.standard_normal(coarse, dtype=np.float32)
    size = tuple(max(side, round(count * step)) for side, count, step in zip(shape, coarse, scale, strict=True))
    large = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
    rows, columns = ((have - want) // 2 for have, want in zip(size, shape, strict=True))
    # Cubic interpolation between the samples keeps about five sixths of their standard deviation.
    return np.asarray(large[rows : rows + shape[0], columns : columns + shape[1]] * 1.2, dtype=np.float32)


def rough_noise(rng: np.random.Generator, side: int, scale: float, octaves: int) -> Field:
    """Return fractal noise, (side, side): each octave has half the scale and 0.55 of the height of the one before."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        total += 0.55**octave * noise(rng, (side, side), (scale / 2**octave, scale / 2**octave))
    return total


def highest(field: Field, share: float, within: Mask) -> Mask:
    """Return the `share` of the pixels of `within` at which `field` is highest."""
    return np.asarray(within & (field > np.quantile(field[within], 1 - share)))


def without_specks(mask: Mask, least_px: int) -> Mask:
    """Return `mask` without pieces smaller than `least_px` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= least_px
    keep[0] = False
    return np.asarray(keep[labels])
