"""Patches and thumbnails at a scale in um/px, resampled from the nearest finer level."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ccl.io.errors import SlideError
from ccl.io.formats import Tiles
from ccl.wsi.reader.protocol import SlideReader

SAME_SCALE = 1.01
"""A level up to 1 % coarser than the target counts as equal to the target: downsamples such as 2.0005 are common."""

SAME_HALVED = 1.03
"""The same for a level that is decoded at half size: 40x is 0.2525 um/px on many scanners, and never the exact way."""

COARSEST = 1.10
"""Level 0 may be up to 10 % coarser than the target: a scanner's 0.5 um/px may be 0.503 or 0.52."""

MOST_PX = 1 << 30
"""Pixels of the largest picture of a whole slide."""

BLOCK_PX = 4096
"""A thumbnail is read in blocks of at most this side (px of the level), which bounds memory."""

REGION_PX = 2048
"""Patches are cut from regions of about this side (px of the level): one read serves many patches."""

ROUNDING_PX = 1e-3
"""Tolerance for rounding errors of a length in pixels."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in level-0 pixels, fractional."""


class Patches(NamedTuple):
    """Some patches of a slide."""

    positions: NDArray[np.intp]
    """(n,) indices of the patches among the slide's tiles."""
    pixels: NDArray[np.uint8]
    """(n, size_px, size_px, 3) RGB."""


def best_level(reader: SlideReader, target_mpp: float) -> int:
    """Return the coarsest level that is at least as fine as `target_mpp` (um/px).

    Raises
    ------
    SlideError
        The slide is more than 10 % coarser than the target, so the detail is missing.
    """
    if reader.mpp > COARSEST * target_mpp:
        raise SlideError(
            "the slide is coarser than the scale asked for",
            where=f"slide {reader.slide_id}",
            found=f"{reader.mpp:g} um/px at level 0",
            expected=f"{target_mpp:g} um/px or finer (10 % are tolerated)",
            todo="leave the slide out, or set a coarser `mpp` for the stage",
        )
    fine = [
        index
        for index, level in enumerate(reader.levels)
        if level.downsample * reader.mpp <= (SAME_HALVED if level.halved else SAME_SCALE) * target_mpp
    ]
    return max(fine, default=0)


class PatchCutter:
    """Cuts the patches of a slide's tiles, region by region; each region is read once for many patches.

    Each patch covers the whole extent of its tile, whose side in level-0 pixels may be fractional.  It is resampled
    with an antialiasing filter from the nearest finer level.

    Parameters
    ----------
    reader : SlideReader
        The slide.
    tiles : Tiles
        Its tiles.
    size_px : int
        Side of the patches.

    Attributes
    ----------
    regions : list of ndarray of int, (n,)
        For each region, the indices of its patches among the tiles; all are of one scale.  The order depends only on
        the tiles.
    recolour : callable or None
        Changes the colours of each patch after it was cut.

    Raises
    ------
    SlideError
        The tiles belong to another slide or scale, a patch reaches outside the slide, or the slide is more than 10 %
        coarser than the patches.
    """

    def __init__(self, reader: SlideReader, tiles: Tiles, size_px: int) -> None:
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
        self.reader, self.size_px = reader, size_px
        self.recolour: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None
        self._coords, self._sides = tiles.coords, tiles.sides
        _check_inside(reader, tiles.coords, self._sides)
        self._levels: dict[float, int] = {}
        self.regions: list[NDArray[np.intp]] = []
        for side in dict.fromkeys(self._sides.tolist()):
            index = self._levels[side] = best_level(reader, side * mpp / size_px)
            own = np.flatnonzero(self._sides == side)
            squares = _regions(tiles.coords[own], REGION_PX * reader.levels[index].downsample)
            self.regions += [own[square] for square in squares]

    def cut(self, region: NDArray[np.intp], into: Iterable[NDArray[np.uint8]]) -> None:
        """Write the patches of a region into arrays (size_px, size_px, 3) of RGB, one for each patch.

        Raises
        ------
        SlideError
            The region cannot be read.

        Notes
        -----
        Several threads may cut at a time.
        """
        side = float(self._sides[region[0]])
        level, coords = self.reader.levels[self._levels[side]], self._coords[region]
        columns = [_cover(x, x + side, level.downsample, level.width) for x in coords[:, 0].tolist()]
        rows = [_cover(y, y + side, level.downsample, level.height) for y in coords[:, 1].tolist()]
        left, top = min(c.first for c in columns), min(r.first for r in rows)
        width, height = max(c.last for c in columns) - left, max(r.last for r in rows) - top
        pixels = self.reader.read_region(left, top, width=width, height=height, level=self._levels[side])
        for patch, column, row in zip(into, columns, rows, strict=True):
            part = pixels[row.first - top : row.last - top, column.first - left : column.last - left]
            cut = _resize(part, column, row, size=(self.size_px, self.size_px), sharp=level.halved)
            patch[:] = self.recolour(cut) if self.recolour else cut


def patches(reader: SlideReader, tiles: Tiles, size_px: int) -> Iterator[Patches]:
    """Yield the patches of `tiles` region by region, as :class:`PatchCutter` cuts them.

    Raises
    ------
    SlideError
        As :class:`PatchCutter`.
    """
    cutter = PatchCutter(reader, tiles, size_px)
    for region in cutter.regions:
        pixels = np.empty((len(region), size_px, size_px, 3), np.uint8)
        cutter.cut(region, pixels)
        yield Patches(region, pixels)


def _regions(coords: NDArray[np.int64], side: float) -> list[NDArray[np.intp]]:
    """Group tiles with corners `coords` (N, 2) by the square of `side` level-0 pixels that the corner lies in."""
    if not len(coords):
        return []
    squares = np.floor(coords[:, ::-1] / side).astype(np.int64)
    _, member = np.unique(squares, axis=0, return_inverse=True)
    order = np.argsort(member, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(member[order])) + 1)


def _check_inside(reader: SlideReader, coords: NDArray[np.int64], sides: NDArray[np.float64]) -> None:
    """Raise unless patches with corners `coords` (N, 2) and `sides` (N,), in level-0 pixels, lie within the slide."""
    ends = coords + sides[:, None]
    beyond = (coords < 0).any(axis=1) | (ends > np.array(reader.dimensions) + ROUNDING_PX).any(axis=1)
    if beyond.any():
        (x, y), (width, height), side = coords[beyond][0].tolist(), reader.dimensions, sides[beyond][0]
        raise SlideError(
            "a patch leaves the slide",
            where=f"slide {reader.slide_id}",
            found=f"x {x}, y {y}, side {side:g} level-0 px",
            expected=f"within {width} x {height} px",
            todo="make the tiles of this slide again (stage tile)",
        )


def thumbnail(reader: SlideReader, mpp: float) -> NDArray[np.uint8]:
    """Return the whole slide at `mpp` um/px as (H, W, 3) uint8 RGB.

    The slide is read in blocks, so a slide without coarse levels needs no more memory than others.  H and W are
    rounded: a pixel covers ``dimensions[0] / W`` by ``dimensions[1] / H`` level-0 pixels.

    Raises
    ------
    SlideError
        The slide cannot be read, or is coarser than `mpp` by more than 10 %.
    """
    index = best_level(reader, mpp)
    width, height = (max(1, round(side * reader.mpp / mpp)) for side in reader.dimensions)
    if width * height > MOST_PX:
        raise SlideError(
            "a slide that is too large",
            where=f"slide {reader.slide_id}",
            found=f"{reader.dimensions[0]} x {reader.dimensions[1]} pixels of {reader.mpp:g} um",
            expected=f"at most 2^30 pixels when it is read at {mpp:g} um/px",
            todo="check the file and its scale; or raise `tissue: mpp`",
        )
    x_pitch, y_pitch = reader.dimensions[0] / width, reader.dimensions[1] / height
    block = max(1, int(BLOCK_PX * reader.levels[index].downsample / max(x_pitch, y_pitch)))
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, block):
        for left in range(0, width, block):
            bottom, right = min(top + block, height), min(left + block, width)
            box = (left * x_pitch, top * y_pitch, right * x_pitch, bottom * y_pitch)
            picture[top:bottom, left:right] = _resampled(reader, index, box, size=(right - left, bottom - top))
    return picture


def window(reader: SlideReader, box: Box, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return `box` of the slide resampled to `size` (width, height), as (H, W, 3) uint8 RGB.

    Raises
    ------
    SlideError
        As :func:`thumbnail`.
    """
    index = best_level(reader, (box[2] - box[0]) * reader.mpp / size[0])
    return _resampled(reader, index, box, size=size)


def _resampled(reader: SlideReader, index: int, box: Box, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return `box` of the slide, read at a level and resampled to `size` (width, height)."""
    level = reader.levels[index]
    column = _cover(box[0], box[2], level.downsample, level.width)
    row = _cover(box[1], box[3], level.downsample, level.height)
    width, height = column.last - column.first, row.last - row.first
    return _resize(
        reader.read_region(column.first, row.first, width=width, height=height, level=index), column, row, size=size
    )


class Span(NamedTuple):
    """An interval on whole pixels of a level."""

    first: int
    last: int
    """The pixel after the last."""
    lower: float
    upper: float
    """The fractional interval, relative to `first`."""


def _cover(start: float, stop: float, downsample: float, level_px: int) -> Span:
    """Cover the level-0 interval [start, stop] by whole pixels of a level that is `level_px` long."""
    lower, upper = start / downsample, stop / downsample
    first = min(math.floor(lower + ROUNDING_PX), level_px - 1)
    last = max(first + 1, min(math.ceil(upper - ROUNDING_PX), level_px))
    return Span(first, last, max(0.0, lower - first), min(upper, last) - first)


def _resize(
    region: NDArray[np.uint8], column: Span, row: Span, *, size: tuple[int, int], sharp: bool = False
) -> NDArray[np.uint8]:
    """Return the spans of a region that starts at their first pixels, resampled to `size` (width, height)."""
    if (column.lower, row.lower) == (0.0, 0.0) and region.shape[1::-1] == size == (column.upper, row.upper):
        return region
    # Hamming, unlike a box filter, weighs pixels by their distance, so that a ratio such as 1.98 does not alias;
    # at a ratio of 2 it is within 8 % of the mean of 2 x 2 pixels.
    box = (column.lower, row.lower, column.upper, row.upper)
    # A level decoded at half size is resampled by almost 1, where Hamming blurs three times as much as bicubic.
    window = Image.Resampling.BICUBIC if sharp else Image.Resampling.HAMMING
    return np.asarray(Image.fromarray(region).resize(size, window, box=box))
