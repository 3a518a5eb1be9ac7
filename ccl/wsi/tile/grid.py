"""The grid of patches: their positions, and the share of tissue in each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

RASTER_UM = 4.0
"""Tissue fractions are counted on pixels of about this side."""

OBJECTIVES = (1, 2, 5, 10, 20, 40, 60, 80, 100)
"""Nominal magnifications of slides; the um/px at one magnification differ between scanners."""

INSIDE = 2
"""Value of a raster pixel in tissue; a pixel on the outline has half of it."""

SUBPIXEL_BITS = 8
"""OpenCV draws polygons with corners on 1/256 of a pixel."""

ROUNDED = 6
"""Decimals of sums of raster pixels, so that a patch full of tissue has the share 1; whole sums stay exact."""

ROUNDING_PX = 1e-6
"""Tolerance for rounding errors of a length in pixels."""


def nominal_magnification(mpp: float) -> int:
    """Return the usual magnification nearest to `mpp` (um/px) by ratio, such as 40 for 0.25 and 20 for 0.5.

    >>> nominal_magnification(0.2325), nominal_magnification(0.5034)
    (40, 20)
    """
    return min(OBJECTIVES, key=lambda power: abs(math.log(10 / mpp / power)))


def grid_positions(length_px: int, pitch_px: float, side_px: float | None = None) -> NDArray[np.int64]:
    """Return where patches start along one side of a slide.

    Patch ``i`` starts at ``i * pitch_px`` rounded to the nearest level-0 pixel, so errors do not add up.  Overlaps and
    gaps between neighbours are off by less than one level-0 pixel.  No patch reaches outside the slide.

    Parameters
    ----------
    length_px : int
        Side of the slide in level-0 pixels.
    pitch_px : float
        Distance of neighbouring patches in level-0 pixels; may be fractional.
    side_px : float, optional
        Side of a patch in level-0 pixels; without it, patches do not overlap.

    Returns
    -------
    ndarray of int64, (N,)
    """
    starts = np.rint(np.arange(int(length_px / pitch_px) + 1) * pitch_px).astype(np.int64)
    return np.asarray(starts[starts + (side_px or pitch_px) <= length_px + ROUNDING_PX])


def tissue_fractions(
    polygons: Iterable[Polygon], columns: int, rows: int, *, pitch_px: float, mpp: float, side_px: float | None = None
) -> NDArray[np.float64]:
    """Return the share of each patch of the grid that lies in tissue.

    The outlines are drawn on a raster of about 4 um, with a whole number of pixels to the side of a patch.  The share
    is the mean of the raster over a patch; its error is at most half a raster pixel along the outlines.

    Parameters
    ----------
    polygons : iterable of Polygon
        Pieces of tissue in level-0 pixels.
    columns, rows : int
        Size of the grid.
    pitch_px : float
        Distance of neighbouring patches in level-0 pixels.
    mpp : float
        um/px at level 0.
    side_px : float, optional
        Side of a patch in level-0 pixels; without it, patches do not overlap.

    Returns
    -------
    ndarray of float64, (rows, columns)
        0 to 1.
    """
    side_px = side_px or pitch_px
    samples = max(1, round(side_px * mpp / RASTER_UM))
    step = samples * (pitch_px / side_px)
    height, width = (math.ceil((count - 1) * step) + samples if count else 0 for count in (rows, columns))
    raster = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        rings = [_corners(ring.coords, samples / side_px) for ring in (polygon.exterior, *polygon.interiors)]
        # One call for all rings of a piece: OpenCV fills between them by the even-odd rule, which leaves holes.
        cv2.fillPoly(raster, rings, (INSIDE,), shift=SUBPIXEL_BITS)
        # It fills the pixels on the outline too, about half of which lie outside.
        cv2.polylines(raster, rings, isClosed=True, color=(INSIDE // 2,), shift=SUBPIXEL_BITS)
    sums = _sums(_sums(raster, rows, step=step, length=samples).T, columns, step=step, length=samples).T
    return np.asarray(np.round(sums, ROUNDED) / (samples**2 * INSIDE))


def _sums(values: NDArray[Any], count: int, *, step: float, length: int) -> NDArray[np.float64]:
    """Return the sums (count, m) of rows of `values` (n, m) over the intervals from ``i * step`` of some `length`.

    A row that lies partly in an interval counts with that part.
    """
    found = np.empty((count, values.shape[1]))
    for number, start in enumerate((np.arange(count) * step).tolist()):
        first, last = math.floor(start), math.ceil(start + length)
        parts = np.ones(last - first)
        parts[0] -= start - first
        parts[-1] -= last - (start + length)
        found[number] = parts @ values[first:last]
    return found


def _corners(coordinates: Iterable[tuple[float, ...]], scale: float) -> NDArray[np.int32]:
    """Convert level-0 coordinates to OpenCV's fixed-point coordinates, whose whole numbers are pixel centres."""
    points = np.array([point[:2] for point in coordinates]) * scale - 0.5
    return np.rint(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
