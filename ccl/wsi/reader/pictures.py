"""Pictures for quality control: the slide at about 1024 pixels with drawings and a scale bar."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import openslide
from numpy.typing import NDArray
from PIL import Image
from shapely.geometry import LinearRing, Polygon

from ccl.io.errors import SlideError
from ccl.io.files import write_bytes
from ccl.io.sheets import Slide
from ccl.wsi.reader.by_openslide import open_file
from ccl.wsi.reader.patches import thumbnail
from ccl.wsi.reader.protocol import SlideReader

LONGEST_PX = 1024
"""Longer side of a picture, unless the slide itself is smaller."""

OUTER_RGB = (0, 150, 60)
HOLE_RGB = (0, 60, 220)
"""Green and blue: both stand out from pink and purple tissue and from a white background."""

MOST_PX = 80_000_000
"""Larger pictures that are no slides are not loaded to be shown."""

JPEG_QUALITY = 88
MARGIN_PX = 12


@dataclass(frozen=True)
class Picture:
    """A picture of a whole slide, drawn on in place."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    level0_px: tuple[float, float]
    """Level-0 pixels per picture pixel in x and y; NaN if nothing is drawn."""
    mpp: float
    """um per picture pixel; NaN if it is unknown."""

    def points(self, coordinates: NDArray[np.floating | np.integer]) -> NDArray[np.int32]:
        """Convert (N, 2) level-0 coordinates to the picture's whole pixels."""
        return np.asarray(np.floor(coordinates / np.array(self.level0_px)), np.int32)

    def outline(self, polygons: Iterable[Polygon]) -> None:
        """Draw the outlines of tissue in level-0 coordinates: pieces green, holes blue."""
        for polygon in polygons:
            self._ring(polygon.exterior, OUTER_RGB)
            for hole in polygon.interiors:
                self._ring(hole, HOLE_RGB)

    def _ring(self, ring: LinearRing, rgb: tuple[int, int, int]) -> None:
        points = self.points(np.asarray(ring.coords))
        cv2.polylines(self.pixels, [points], isClosed=True, color=rgb, thickness=2, lineType=cv2.LINE_AA)

    def scale_bar(self) -> None:
        """Draw a bar of a round length with its label at the lower left."""
        height, width = self.pixels.shape[:2]
        length_um = round_length(width * self.mpp / 4)
        label = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} um"
        size = max(0.35, min(height, width) / 1400)
        (text_width, text_height), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        length_px = max(1, round(length_um / self.mpp))
        left, bottom, pad = MARGIN_PX, height - MARGIN_PX, 6
        right, top = left + max(length_px, text_width), bottom - text_height - 10
        cv2.rectangle(self.pixels, (left - pad, top - pad), (right + pad, bottom + pad), (255, 255, 255), cv2.FILLED)
        cv2.rectangle(self.pixels, (left, bottom - 3), (left + length_px, bottom), (0, 0, 0), cv2.FILLED)
        place = (left, bottom - 10)
        cv2.putText(self.pixels, label, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)

    def write(self, path: Path) -> None:
        """Write the picture as JPEG, atomically."""
        done, data = cv2.imencode(".jpg", self.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        assert done, "OpenCV encodes any (H, W, 3) uint8 array"
        write_bytes(path, data.tobytes())


def overview(reader: SlideReader, seen: NDArray[np.uint8] | None = None) -> Picture:
    """Return the whole slide as a picture of at most 1024 pixels a side.

    Parameters
    ----------
    reader : SlideReader
        The slide.
    seen : ndarray of uint8, (H, W, 3), optional
        A thumbnail that was read before. If it is large enough, the slide is not read again.
    """
    width, height = reader.dimensions
    mpp = max(max(width, height) * reader.mpp / LONGEST_PX, reader.mpp)
    if seen is not None and max(seen.shape[:2]) >= LONGEST_PX:
        size = (max(1, round(width * reader.mpp / mpp)), max(1, round(height * reader.mpp / mpp)))
        pixels = cv2.resize(seen, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    else:
        pixels = thumbnail(reader, mpp)
    return Picture(pixels, (width / pixels.shape[1], height / pixels.shape[0]), mpp)


def refused_picture(slide: Slide) -> Picture | None:
    """Return what a slide looks like that cannot be used, whatever its scale; None if it cannot be read at all."""
    pixels: NDArray[np.uint8] | None
    try:
        with open_file(slide) as file:
            pixels = np.array(file.get_thumbnail((LONGEST_PX, LONGEST_PX)).convert("RGB"))
    except (SlideError, openslide.OpenSlideError):
        pixels = _plain_picture(slide.path)
    return None if pixels is None else Picture(pixels, (math.nan, math.nan), math.nan)


def _plain_picture(path: Path) -> NDArray[np.uint8] | None:
    """Return a picture that is no slide, such as a PNG or a TIFF without tiles, if it is not too large to be loaded."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PX:
                return None
            image.thumbnail((LONGEST_PX, LONGEST_PX))
            return np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def round_length(limit: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is at most `limit`.

    >>> round_length(2300.0)
    2000.0
    """
    power = 10.0 ** math.floor(math.log10(limit))
    return next(factor * power for factor in (5.0, 2.0, 1.0) if factor * power <= limit * (1 + 1e-9))
