"""Patches and thumbnails at a scale in um/px, resampled from the nearest finer level."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ccl.errors import SlideError
from ccl.formats import Tiles
from ccl.slides.reader import SlideReader

SAME_SCALE = 1.01
"""A level up to 1 % coarser than the target counts as being at the target: downsamples are often 2.0005, say."""

COARSEST = 1.10
"""Level 0 may be at most 10 % coarser than the target: a scanner's 0.5 um/px may well be 0.503 or 0.52."""

BLOCK_PX = 4096
"""A thumbnail is made of blocks of at most this side (px of the level), to bound memory at any slide size."""

ROUNDING_PX = 1e-3
"""What floating-point arithmetic may add to a length in pixels."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in level-0 pixels, fractional."""


def best_level(reader: SlideReader, target_mpp: float) -> int:
    """Return the coarsest level that is at least as fine as `target_mpp` (um/px).

    Raises
    ------
    SlideError
        The slide itself is more than 10 % coarser than the target: no detail can be made up.
    """
    if reader.mpp > COARSEST * target_mpp:
        raise SlideError(
            "the slide is coarser than the scale asked for",
            where=f"slide {reader.slide_id}",
            found=f"{reader.mpp:g} um/px at level 0",
            expected=f"{target_mpp:g} um/px or finer (10 % are tolerated)",
            todo="leave the slide out, or set a coarser `mpp` for the stage",
        )
    fine = [i for i, level in enumerate(reader.levels) if level.downsample * reader.mpp <= SAME_SCALE * target_mpp]
    return max(fine, default=0)


def read_patch(reader: SlideReader, x: int, y: int, *, size_px: int, target_mpp: float) -> NDArray[np.uint8]:
    """Return one square patch at an exact scale.

    It covers ``size_px * target_mpp / reader.mpp`` level-0 pixels, a fractional number, and is resampled with an
    antialiasing filter from the nearest finer level.

    Parameters
    ----------
    reader : SlideReader
        The slide.
    x, y : int
        Top-left corner in level-0 pixels.
    size_px : int
        Side of the patch returned.
    target_mpp : float
        Its scale in um/px.

    Returns
    -------
    ndarray of uint8, (size_px, size_px, 3)
        RGB.

    Raises
    ------
    SlideError
        The patch cannot be read or leaves the slide, or the slide is more than 10 % coarser than the target.
    """
    side = size_px * target_mpp / reader.mpp
    width, height = reader.dimensions
    if min(x, y) < 0 or x + side > width + ROUNDING_PX or y + side > height + ROUNDING_PX:
        raise SlideError(
            "a patch leaves the slide",
            where=f"slide {reader.slide_id}",
            found=f"x {x}, y {y}, side {side:g} level-0 px",
            expected=f"within {width} x {height} px",
            todo="make the tiles of this slide again (stage tile)",
        )
    level = best_level(reader, target_mpp)
    return _resampled(reader, level, (x, y, x + side, y + side), size=(size_px, size_px))


def patches(reader: SlideReader, tiles: Tiles, size_px: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the patches of `tiles` in their order, each (size_px, size_px, 3) uint8 RGB.

    Each covers the tile's whole extent, so with a `size_px` other than the tiles' ``patch_size`` the scale differs.

    Raises
    ------
    SlideError
        The tiles were laid over another slide or scale, or a patch cannot be read.
    """
    laid = (int(tiles.attributes["level0_width"]), int(tiles.attributes["level0_height"]))
    mpp = float(tiles.attributes["level0_mpp"])
    if laid != reader.dimensions or not math.isclose(mpp, reader.mpp, rel_tol=1e-6):
        raise SlideError(
            "the tiles belong to another slide, or to another scale of it",
            where=f"slide {reader.slide_id}",
            found=f"{reader.dimensions[0]} x {reader.dimensions[1]} px at {reader.mpp:g} um/px",
            expected=f"{laid[0]} x {laid[1]} px at {mpp:g} um/px",
            todo="run the stages tissue and tile again for this slide",
        )
    target_mpp = float(tiles.attributes["patch_size_level0"]) * mpp / size_px
    for x, y in tiles.coords:
        yield read_patch(reader, int(x), int(y), size_px=size_px, target_mpp=target_mpp)


def thumbnail(reader: SlideReader, mpp: float) -> NDArray[np.uint8]:
    """Return the whole slide at `mpp` um/px as (H, W, 3) uint8 RGB.

    The slide is read in blocks, so that one without coarse levels needs no more memory than others.  H and W are
    rounded: a pixel covers ``dimensions[0] / W`` by ``dimensions[1] / H`` level-0 pixels.

    Raises
    ------
    SlideError
        The slide cannot be read, or is coarser than `mpp` by more than 10 %.
    """
    index = best_level(reader, mpp)
    width, height = (max(1, round(side * reader.mpp / mpp)) for side in reader.dimensions)
    x_pitch, y_pitch = reader.dimensions[0] / width, reader.dimensions[1] / height
    block = max(1, int(BLOCK_PX * reader.levels[index].downsample / max(x_pitch, y_pitch)))
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, block):
        for left in range(0, width, block):
            bottom, right = min(top + block, height), min(left + block, width)
            box = (left * x_pitch, top * y_pitch, right * x_pitch, bottom * y_pitch)
            picture[top:bottom, left:right] = _resampled(reader, index, box, size=(right - left, bottom - top))
    return picture


def _resampled(reader: SlideReader, index: int, box: Box, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return `box` of the slide, read at a level and resampled to `size` (width, height)."""
    level = reader.levels[index]
    x, x_span, columns = _cover(box[0], box[2], level.downsample, level.width)
    y, y_span, rows = _cover(box[1], box[3], level.downsample, level.height)
    region = Image.fromarray(reader.read_region(x, y, width=columns, height=rows, level=index))
    # Hamming, unlike a box filter, weighs pixels by their distance, so that a ratio such as 1.98 does not alias;
    # at a ratio of 2 it is within 8 % of the mean of 2 x 2 pixels.
    resized = region.resize(size, Image.Resampling.HAMMING, box=(x_span[0], y_span[0], x_span[1], y_span[1]))
    return np.asarray(resized)


def _cover(start: float, stop: float, downsample: float, level_px: int) -> tuple[int, tuple[float, float], int]:
    """Cover the level-0 interval [start, stop] by whole pixels of a level.

    Returns
    -------
    origin : int
        Level-0 pixel to read from: as near as can be to a whole pixel of the level, where OpenSlide need not blur.
    span : tuple of float
        The interval in pixels of the level, counted from `origin`.
    count : int
        How many pixels of the level to read.
    """
    first = math.floor(start / downsample + ROUNDING_PX)
    origin = math.floor(first * downsample + ROUNDING_PX)
    lower, upper = max(0.0, (start - origin) / downsample), (stop - origin) / downsample
    count = max(1, min(math.ceil(upper - ROUNDING_PX), level_px - first))
    return origin, (lower, min(upper, count)), count
