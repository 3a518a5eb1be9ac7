"""Decoding the tiles of a TIFF slide directly and in parallel, if this gives the same pixels as OpenSlide."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

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

    def decode(self, index: int, data: bytes) -> NDArray[np.uint8]:
        """Return a tile as (h, w, 3) uint8 RGB, cut at the edge of the level.

        Raises
        ------
        Exception
            The codec's errors for damaged data, or ValueError for a tile that is not 8-bit RGB.
        """
        if self.page.compression == JPEG:
            return self._decode_jpeg(data)
        tile = self.page.decode(data, index)[0]
        if tile is None or tile.dtype != np.uint8 or tile.shape[0] != 1 or tile.shape[-1] != 3:
            raise ValueError("the tile is not 8-bit RGB")
        return np.asarray(tile[0])

    def _decode_jpeg(self, data: bytes) -> NDArray[np.uint8]:
        """Decode a JPEG tile in strict mode: otherwise damaged data would become grey or coloured blocks."""
        tables = (self.page.jpegtables or b"")[2:-2]  # without its start and end of image
        marker = AS_RGB if self.page.photometric == RGB else b""
        return np.asarray(simplejpeg.decode_jpeg(data[:2] + marker + tables + data[2:], "RGB", strict=True))


class DirectReader(OpenSlideReader):
    """A :class:`~ccl.wsi.reader.protocol.SlideReader` that decodes tiles itself, several regions at a time.

    OpenSlide opens the slide, and gives its scale and its pyramid.  The first read of a level decodes some tiles,
    spread over the level.  If their pixels equal those of OpenSlide, the level is decoded directly.  A line on stderr
    says how the level is read and why.  Regions with a tile that was never written are read by OpenSlide, because
    their meaning depends on the vendor.

    Raises
    ------
    SlideError
        As :class:`OpenSlideReader`.
    """

    def __init__(self, slide: Slide) -> None:
        super().__init__(slide)
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

    def read_region(self, x: int, y: int, *, width: int, height: int, level: int) -> NDArray[np.uint8]:
        """Return a region as (height, width, 3) uint8 RGB: see :meth:`SlideReader.read_region`."""
        tiled = self._level(level)
        inside = min(x, y) >= 0 and x + width <= self.levels[level].width and y + height <= self.levels[level].height
        if tiled is None or not inside:
            return super().read_region(x, y, width=width, height=height, level=level)
        side_x, side_y = int(tiled.page.tilewidth), int(tiled.page.tilelength)
        tiles = [
            (column, row, row * tiled.columns + column)
            for row in range(y // side_y, (y + height - 1) // side_y + 1)
            for column in range(x // side_x, (x + width - 1) // side_x + 1)
        ]
        if not all(tiled.page.databytecounts[index] for _, _, index in tiles):
            return super().read_region(x, y, width=width, height=height, level=level)
        region = np.empty((height, width, 3), np.uint8)
        for column, row, index in tiles:
            try:
                tile = tiled.decode(index, self._bytes(tiled.page, index))
            except Exception as error:  # each codec has its own errors
                if machine_error(error):
                    raise
                raise damaged_region(
                    f"slide {self.slide_id}, {self._path}, level {level}, tile {column}, {row}", str(error)
                ) from error
            left, top = column * side_x - x, row * side_y - y
            target = region[max(top, 0) : top + side_y, max(left, 0) : left + side_x]
            source_y, source_x = max(-top, 0), max(-left, 0)
            target[:] = tile[source_y : source_y + target.shape[0], source_x : source_x + target.shape[1]]
        return region

    def close(self) -> None:
        """Release the file."""
        if self._tiff is not None:
            self._tiff.close()
        super().close()

    def _bytes(self, page: tifffile.TiffPage, index: int) -> bytes:
        """Return the stored bytes of a tile; unlike seek and read, this is safe in several threads."""
        assert self._tiff is not None
        count = page.databytecounts[index]
        data = os.pread(self._tiff.filehandle.fileno(), count, page.dataoffsets[index])
        if len(data) < count:
            raise EOFError(f"the file ends {count - len(data)} bytes before the tile does")
        return data

    def _level(self, index: int) -> TiledLevel | None:
        with self._lock:
            if index not in self._direct:
                self._direct[index] = self._tried(index)
            return self._direct[index]

    def _tried(self, index: int) -> TiledLevel | None:
        """Return a level if its tiles decode to OpenSlide's pixels, and log the result."""
        level = self.levels[index]
        pages = [page for page in self._pages if (page.imagewidth, page.imagelength) == (level.width, level.height)]
        if not pages:
            if self._pages:
                self._say(f"level {index} read by OpenSlide: no page of the file has its size")
            return None
        tiled = TiledLevel(pages[0], level)
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
        found = tiled.decode(tile, self._bytes(tiled.page, tile))[:height, :width]
        return np.array_equal(expected, found)

    def _say(self, text: str) -> None:
        say(f"slide {self.slide_id}: {text}")
