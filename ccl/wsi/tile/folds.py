"""Folds of the tissue: bands where it lies double, so that there is about twice as much of both stains.

Dense epithelium and lymph nodes have more hematoxylin only.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.wsi.tissue.glass import glass_colour

TISSUE = 0.1
"""Least optical density of tissue, mean of the channels."""

STAINS = np.array([[0.650, 0.072], [0.704, 0.990], [0.286, 0.105]])
"""Optical density of hematoxylin and eosin (columns) in red, green and blue (Ruifrok and Johnston 2001)."""

DOUBLE = 1.5
"""Least amount of each stain in a fold, relative to the median of the tissue around it."""

AROUND_UM = 1000.0
"""Side of the window of the tissue around."""

GRAIN_UM = 16.0
"""Nuclei and dots up to this size are evened out."""

WIDEST_UM = 400.0
"""Dense areas that are wider, such as lymph nodes and necrosis, are no folds."""

SHORTEST_UM = 400.0
"""Dense areas whose longer side is shorter are no folds."""

LEAST_RATIO = 2.5
"""Least ratio of the sides of a fold: follicles and vessels are as wide as they are long."""

DARKEST = 0.02
"""Darker values (0 to 1) are noise."""


def fold_mask(thumbnail: NDArray[np.uint8], mpp: float) -> NDArray[np.bool_]:
    """Return where the tissue on a thumbnail is folded.

    Parameters
    ----------
    thumbnail : ndarray of uint8, (H, W, 3)
        RGB.
    mpp : float
        Its scale (um/px).

    Returns
    -------
    ndarray of bool, (H, W)
    """
    light = np.clip(thumbnail / glass_colour(thumbnail), DARKEST, 1).astype(np.float32)
    density = cv2.GaussianBlur(-np.log(light), (0, 0), max(GRAIN_UM / 2 / mpp, 0.5))
    tissue = density.mean(axis=2) >= TISSUE
    stains = np.maximum(cv2.transform(density, np.linalg.pinv(STAINS).astype(np.float32)), 0)
    dense = tissue & (stains >= DOUBLE * _around(stains, tissue, mpp)).all(axis=2)
    side = 2 * round(WIDEST_UM / 2 / mpp) + 1
    wide = cv2.morphologyEx(
        dense.astype(np.uint8), cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    )
    return _long(dense & (wide == 0), mpp)


def _around(stains: NDArray[np.float32], tissue: NDArray[np.bool_], mpp: float) -> NDArray[np.float32]:
    """Return how much of each stain (H, W, 2) the tissue around each pixel has: the median of 3 x 3 windows."""
    side = max(1, round(AROUND_UM / 3 / mpp))
    height, width = tissue.shape
    typical = np.full((-(-height // side), -(-width // side), 2), np.inf, np.float32)
    for row, column in np.ndindex(typical.shape[:2]):
        top, left = max(0, row - 1) * side, max(0, column - 1) * side
        window = np.s_[top : (row + 2) * side, left : (column + 2) * side]
        if tissue[window].any():
            typical[row, column] = np.median(stains[window][tissue[window]], axis=0)
    return typical.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]


def _long(mask: NDArray[np.bool_], mpp: float) -> NDArray[np.bool_]:
    """Return the connected parts of a mask that are long and narrow."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    keep = np.zeros(count, bool)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        (_, _), (width, height), _ = cv2.minAreaRect(contour)
        longer, shorter = (max(width, height) + 1) * mpp, (min(width, height) + 1) * mpp
        area_um2 = (cv2.contourArea(contour) + 1) * mpp**2
        # A curved fold fills little of its box: its mean width counts, not that of the box.
        x, y = contour[0, 0]
        keep[labels[y, x]] = longer >= SHORTEST_UM and longer / min(shorter, area_um2 / longer) >= LEAST_RATIO
    return np.asarray(keep[labels], bool)
