"""Decoding the tiles of a TIFF slide directly and in parallel, if this gives the same pixels as OpenSlide."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import openslide
import simplejpeg
import tifffile
from numpy.typing import NDArray

from ccl.io.errors import machine_error
from ccl.io.progress import say
from ccl.io.sheets import Slide
from ccl.wsi.reader.by_openslide import OpenSlideReader, damaged_region
from ccl.wsi.reader.protocol import Level

SAMPLES = 5
"""Number of tiles of a level that are compared with OpenSlide before the level is decoded directly."""

TILED_VENDORS = ("aperio", "generic-tiff")
"""OpenSlide's names of the formats whose levels are plain grids; in others, tiles overlap or may be shared."""

JPEG = 7
"""The TIFF compression JPEG, with shared tables or without."""

MOST_SPREAD = 2
"""Tiles that are spread over more than twice their bytes in the file are read one by one."""

NEAR = 0.1
"""A level within 10 % of half the scale of another one is used instead of halving that one."""

RGB = 2
"""The TIFF photometric interpretation of RGB."""

AS_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
"""The JPEG marker for three channels of RGB; in a TIFF, only a tag says so."""


@dataclass(frozen=True)
class TiledLevel:
    """A level of the pyramid as a page of a TIFF file."""

    page: tifffile.TiffPage
    level: Level

    @property
    def columns(self) -> int:
        """Number of tiles in a row."""
        return -(-self.level.width // int(self.page.tilewidth))

    def sides(self, factor: int) -> tuple[int, int]:
        """Return the width and height of a tile that is decoded `factor` times smaller."""
        return int(self.page.tilewidth) // factor, int(self.page.tilelength) // factor

    def halves(self) -> bool:
        """Return whether libjpeg can decode the tiles at half size, on whole pixels."""
        even = int(self.page.tilewidth) % 2 == int(self.page.tilelength) % 2 == 0
        return self.page.compression == JPEG and even

    def decode(self, index: int, data: bytes, into: NDArray[np.uint8], factor: int = 1) -> None:
        """Decode a tile into (h, w, 3) uint8 RGB, `factor` times smaller than it is stored.

        Raises
        ------
        Exception
            The codec's errors for damaged data, or ValueError for a tile that is not 8-bit RGB of its level's size.
        """
        if self.page.compression == JPEG:
            self._decode_jpeg(data, into, factor)
            return
        tile = self.page.decode(data, index)[0]
        if tile is None or tile.dtype != np.uint8 or tile.shape[0] != 1 or tile.shape[-1] != 3:
            raise ValueError("the tile is not 8-bit RGB")
        into[: tile.shape[1], : tile.shape[2]] = tile[0]

    def _decode_jpeg(self, data: bytes, into: NDArray[np.uint8], factor: int) -> None:
        """Decode a JPEG tile in strict mode: otherwise damaged data would become grey or coloured blocks."""
        tables = (self.page.jpegtables or b"")[2:-2]  # without its start and end of image
        marker = AS_RGB if self.page.photometric == RGB else b""
        whole = b"".join((data[:2], marker, tables, data[2:]))
        height, width = into.shape[:2]
        tile = simplejpeg.decode_jpeg(
            whole, "RGB", min_height=height, min_width=width, min_factor=factor, buffer=into, strict=True
        )
        if tile.shape != into.shape:
            raise ValueError(f"the tile has {tile.shape[1]} x {tile.shape[0]} px, not {width} x {height}")


class DirectReader(OpenSlideReader):
    """A :class:`~ccl.wsi.reader.protocol.SlideReader` that decodes tiles itself, several regions at a time.

    OpenSlide opens the slide, and gives its scale and its pyramid.  The first read of a level decodes some tiles,
    spread over the level.  If their pixels equal those of OpenSlide, the level is decoded directly.  A line on stderr
    says how the level is read and why.  Regions with a tile that was never written are read by OpenSlide, because
    their meaning depends on the vendor.

    Parameters
    ----------
    slide : Slide
        The slide to open.
    halve : bool
        Add a level of half the scale to each level whose JPEG tiles can be decoded at half size, if the slide has none
        about as fine.  Its pixels are not exactly those of a whole tile that is averaged.

    Raises
    ------
    SlideError
        As :class:`OpenSlideReader`.
    """

    def __init__(self, slide: Slide, *, halve: bool = False) -> None:
        super().__init__(slide)
        self._stored = self.levels
        self._sources = [(index, 1) for index in range(len(self.levels))]
        self._lock = threading.Lock()
        self._direct: dict[int, TiledLevel | None] = {}
        self._tiff: tifffile.TiffFile | None = None
        self._pages: list[tifffile.TiffPage] = []
        vendor = self._file.properties.get(openslide.PROPERTY_NAME_VENDOR, "unknown")
        if vendor not in TILED_VENDORS:
            self._say(f"read by OpenSlide: the format {vendor} is not a plain grid of tiles")
            return
        try:
            self._tiff = tifffile.TiffFile(self._path)
            # Thumbnails and labels are strips; a planar page has a tile for each colour.
            pages = [page for page in self._tiff.pages if isinstance(page, tifffile.TiffPage) and page.is_tiled]
            self._pages = [page for page in pages if page.planarconfig == tifffile.PLANARCONFIG.CONTIG]
        except (tifffile.TiffFileError, OSError, ValueError) as error:
            self._say(f"read by OpenSlide: tifffile cannot read the file ({error})")
        if halve:
            self._add_halves()

    def _add_halves(self) -> None:
        """Add the levels that are decoded at half size; finer levels stay first."""
        found = list(zip(self.levels, self._sources, strict=True))
        for index, level in enumerate(self._stored):
            scale = 2 * level.downsample
            tiled = self._tiled(index)
            if tiled and tiled.halves() and not any(abs(o.downsample / scale - 1) <= NEAR for o in self._stored):
                found.append((Level(level.width // 2, level.height // 2, scale, halved=True), (index, 2)))
        found.sort(key=lambda pair: pair[0].downsample)
        self.levels = tuple(level for level, _ in found)
        self._sources = [source for _, source in found]

    def read_region(self, x: int, y: int, *, width: int, height: int, level: int) -> NDArray[np.uint8]:
        """Return a region as (height, width, 3) uint8 RGB: see :meth:`SlideReader.read_region`."""
        index, factor = self._sources[level]
        tiled, size = self._level(index), self.levels[level]
        inside = min(x, y) >= 0 and x + width <= size.width and y + height <= size.height
        if tiled is None or not inside:
            return self._by_openslide(x, y, width, height, self._sources[level])
        side_x, side_y = tiled.sides(factor)
        columns = range(x // side_x, (x + width - 1) // side_x + 1)
        rows = range(y // side_y, (y + height - 1) // side_y + 1)
        grid = [[row * tiled.columns + column for column in columns] for row in rows]
        if not all(tiled.page.databytecounts[tile] for row in grid for tile in row):
            return self._by_openslide(x, y, width, height, self._sources[level])
        region = np.empty((len(rows), side_y, len(columns), side_x, 3), np.uint8)
        # libjpeg writes whole tiles; a row of them stays in the processor's cache until it is copied.
        strip = np.empty((len(columns), side_y, side_x, 3), np.uint8)
        for tiles, target in zip(grid, region, strict=True):
            self._decode(tiled, index, tiles, strip, factor)
            target[:] = strip.swapaxes(0, 1)
        whole = region.reshape(len(rows) * side_y, len(columns) * side_x, 3)
        left, top = x - columns.start * side_x, y - rows.start * side_y
        return whole[top : top + height, left : left + width]

    def _by_openslide(self, x: int, y: int, width: int, height: int, source: tuple[int, int]) -> NDArray[np.uint8]:
        """Return a region of a stored level and a factor, as OpenSlide reads it."""
        index, factor = source
        region = super().read_region(factor * x, factor * y, width=factor * width, height=factor * height, level=index)
        if factor == 1:
            return region
        return np.asarray(cv2.resize(region, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def close(self) -> None:
        """Release the file."""
        if self._tiff is not None:
            self._tiff.close()
        super().close()

    def _decode(
        self, tiled: TiledLevel, index: int, tiles: Sequence[int], into: NDArray[np.uint8], factor: int
    ) -> None:
        """Decode tiles of a level into (n, h, w, 3) uint8 RGB, `factor` times smaller than they are stored."""
        for tile, data, target in zip(tiles, self._bytes(tiled.page, tiles), into, strict=True):
            try:
                if missing := tiled.page.databytecounts[tile] - len(data):
                    raise EOFError(f"the file ends {missing} bytes before the tile does")
                tiled.decode(tile, data, target, factor)
            except Exception as error:  # each codec has its own errors
                if machine_error(error):
                    raise
                row, column = divmod(tile, tiled.columns)
                where = f"slide {self.slide_id}, {self._path}, level {index}, tile {column}, {row}"
                raise damaged_region(where, str(error)) from error

    def _bytes(self, page: tifffile.TiffPage, tiles: Sequence[int]) -> list[bytes]:
        """Return the stored bytes of tiles, fewer where the file ends; this is safe in several threads.

        Neighbours are usually stored side by side and are then read at once: each call waits for the interpreter.
        """
        assert self._tiff is not None
        file = self._tiff.filehandle.fileno()
        spans = [(page.dataoffsets[tile], page.databytecounts[tile]) for tile in tiles]
        first, last = min(start for start, _ in spans), max(start + count for start, count in spans)
        if last - first > MOST_SPREAD * sum(count for _, count in spans):
            return [os.pread(file, count, start) for start, count in spans]
        data = os.pread(file, last - first, first)
        return [data[start - first : start - first + count] for start, count in spans]

    def _level(self, index: int) -> TiledLevel | None:
        with self._lock:
            if index not in self._direct:
                self._direct[index] = self._tried(index)
            return self._direct[index]

    def _tried(self, index: int) -> TiledLevel | None:
        """Return a level if its tiles decode to OpenSlide's pixels, and log the result."""
        tiled = self._tiled(index)
        if tiled is None:
            if self._pages:
                self._say(f"level {index} read by OpenSlide: no page of the file has its size")
            return None
        stored = np.flatnonzero(np.asarray(tiled.page.databytecounts) * self._whole(tiled, index))
        chosen = stored[np.unique(np.linspace(0, stored.size - 1, SAMPLES).astype(int))] if stored.size else stored
        try:
            equal = chosen.size > 0 and all(self._same(tiled, index, int(tile)) for tile in chosen)
        except Exception as error:  # each codec has its own errors; OpenSlide may still read the tile
            self._say(f"level {index} read by OpenSlide: a tile does not decode ({error})")
            return None
        if not equal:
            self._say(f"level {index} read by OpenSlide: tiles decoded directly have other pixels")
            return None
        self._say(f"level {index} decoded directly: {chosen.size} tiles have OpenSlide's pixels")
        return tiled

    def _tiled(self, index: int) -> TiledLevel | None:
        """Return a stored level as the first page of its size, if there is one."""
        level = self._stored[index]
        pages = [page for page in self._pages if (page.imagewidth, page.imagelength) == (level.width, level.height)]
        return TiledLevel(pages[0], level) if pages else None

    def _whole(self, tiled: TiledLevel, index: int) -> NDArray[np.bool_]:
        """Return for each tile of a level whether OpenSlide can read it without interpolation.

        OpenSlide takes whole level-0 pixels. If a level is 2.0005 times smaller by its size, few tiles start at one.
        """
        own = self._file.level_downsamples[index]
        starts = np.indices((-(-tiled.level.height // int(tiled.page.tilelength)), tiled.columns)).reshape(2, -1)
        level0 = starts * np.array([[tiled.page.tilelength], [tiled.page.tilewidth]]) * own
        return np.asarray((np.abs(level0 - np.rint(level0)) < 1e-3 * own).all(axis=0))

    def _same(self, tiled: TiledLevel, index: int, tile: int) -> bool:
        side_x, side_y = int(tiled.page.tilewidth), int(tiled.page.tilelength)
        x, y = tile % tiled.columns * side_x, tile // tiled.columns * side_y
        width, height = min(side_x, tiled.level.width - x), min(side_y, tiled.level.height - y)
        expected = super().read_region(x, y, width=width, height=height, level=index)
        found = np.empty((side_y, side_x, 3), np.uint8)
        tiled.decode(tile, self._bytes(tiled.page, [tile])[0], found)
        return np.array_equal(expected, found[:height, :width])

    def _say(self, text: str) -> None:
        say(f"slide {self.slide_id}: {text}")
