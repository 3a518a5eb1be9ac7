"""Reading slides with OpenSlide, the reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import openslide
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageCms import ImageCmsProfile

from ccl.io.errors import SlideError
from ccl.io.progress import say
from ccl.io.sheets import Slide
from ccl.wsi.reader.protocol import Level
from ccl.wsi.reader.scale import level0_mpp, scale_notes

UNSUPPORTED = re.compile(r"Unsupported TIFF compression: (\d+)")
"""OpenSlide's words for a TIFF whose tiles it cannot decode."""

CACHE_BYTES = 256 << 20
"""Cache of decoded tiles per reader; neighbouring regions share tiles."""


class OpenSlideReader:
    """A :class:`~ccl.wsi.reader.protocol.SlideReader` by OpenSlide.

    Parameters
    ----------
    slide : Slide
        The slide to open.

    Raises
    ------
    SlideError
        The file is missing, empty, damaged, not a slide, or its scale is unknown.
    """

    def __init__(self, slide: Slide) -> None:
        self.slide_id = slide.slide_id
        self._path = slide.path
        self._file = open_file(slide)
        try:
            self.mpp = level0_mpp(slide, self._file.properties)
        except SlideError:
            self._file.close()
            raise
        self.properties: Mapping[str, str] = self._file.properties
        self.notes = scale_notes(slide, self.mpp, self.properties)
        for note in self.notes:
            say(f"note: slide {slide.slide_id}: {note}")
        self._file.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
        self.dimensions: tuple[int, int] = self._file.dimensions
        self.levels = tuple(Level(*size, _downsample(self.dimensions, size)) for size in self._file.level_dimensions)

    @property
    def profile(self) -> ImageCmsProfile | None:
        """The slide's ICC colour profile, if it has one."""
        return self._file.color_profile

    def read_region(self, x: int, y: int, *, width: int, height: int, level: int) -> NDArray[np.uint8]:
        """Return a region as (height, width, 3) uint8 RGB: see :meth:`SlideReader.read_region`."""
        # OpenSlide takes level-0 pixels and divides by its own downsample.
        own = self._file.level_downsamples[level]
        try:
            region = self._file.read_region((round(x * own), round(y * own)), level, (width, height))
        except openslide.OpenSlideError as error:
            raise damaged_region(
                f"slide {self.slide_id}, {self._path}, level {level}, x {x}, y {y}", str(error)
            ) from error
        rgba = np.asarray(region)
        if rgba[..., 3].min() < 255:
            white = Image.new("RGBA", region.size, "white")
            rgba = np.asarray(Image.alpha_composite(white, region))
        # 80 times faster than slicing and copying with NumPy.
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def entry_file(slide: Slide) -> Path:
    """Return the file to open with OpenSlide: the slide's own, or one of a folder of DICOM files.

    Raises
    ------
    SlideError
        There is no such file, or the folder holds no ``.dcm`` files.
    """
    if slide.path.is_file():
        return slide.path
    instances = sorted(slide.path.glob("*.dcm")) if slide.path.is_dir() else []
    if not instances:
        raise SlideError(
            "the slide's file does not exist",
            where=f"slide {slide.slide_id}, {slide.path}",
            found="a folder without .dcm files" if slide.path.is_dir() else "nothing",
            expected="a file, or the folder of a DICOM slide",
            todo="correct the slide's path in the sample sheet",
        )
    return instances[0]


def damaged_region(where: str, found: str) -> SlideError:
    """Return the error for a region that exists but cannot be read; such a region is never filled in."""
    return SlideError(
        "a region of the slide cannot be read",
        where=where,
        found=found,
        todo="copy the slide again from its source; the file is damaged or was cut short",
    )


def _downsample(dimensions: tuple[int, int], size: tuple[int, int]) -> float:
    """Return the level-0 pixels per pixel of a level of `size`.

    Scanners halve a level and drop or add the last odd pixel.  For example, 4443 px become 2221.  The downsample is
    then 2; the quotient 2.0005 would be a whole pixel off at the far edge.
    """
    ratios = [whole / part for whole, part in zip(dimensions, size, strict=True)]
    factor = round(sum(ratios) / 2)
    if all(abs(whole / factor - part) < 1 for whole, part in zip(dimensions, size, strict=True)):
        return float(factor)
    return sum(ratios) / 2


def open_file(slide: Slide) -> openslide.OpenSlide:
    """Return OpenSlide's handle of a slide; its scale may be unknown.

    Raises
    ------
    SlideError
        The file is missing, empty, damaged or not a slide.
    """
    path = entry_file(slide)
    where = f"slide {slide.slide_id}, {path}"
    if path.stat().st_size == 0:
        raise SlideError(
            "the slide's file is empty", where=where, found="0 bytes", todo="copy the slide again from its source"
        )
    try:
        return openslide.OpenSlide(path)
    except openslide.OpenSlideError as error:
        raise _not_opened(where, error, path) from error


def _not_opened(where: str, error: openslide.OpenSlideError, path: Path) -> SlideError:
    """Return the error for a file that OpenSlide does not open."""
    found, todo = str(error), "copy the slide again from its source"
    compression = UNSUPPORTED.search(found)
    if compression:
        names = {kind.value: kind.name for kind in tifffile.COMPRESSION}
        return SlideError(
            "OpenSlide cannot read the slide's compression",
            where=where,
            found=names.get(int(compression[1]), f"TIFF compression {compression[1]}"),
            expected="JPEG, LZW, deflate, Zstandard, or the JPEG 2000 of Aperio",
            todo="convert it (vips tiffsave IN OUT --tile --pyramid --compression jpeg --Q 90); it is not damaged",
        )
    if path.suffix.lower() == ".dcm":
        problem, expected = "not the DICOM file of a slide, or a damaged one", "VL Whole Slide Microscopy"
        return SlideError(problem, where=where, found=found, expected=expected, todo="give the slide's series, whole")
    if isinstance(error, openslide.OpenSlideUnsupportedFormatError):
        return SlideError(
            "not a slide that OpenSlide can read",
            where=where,
            found=found,
            expected="SVS, NDPI, MRXS, SCN, BIF, tiled TIFF, DICOM or another format of OpenSlide, whole",
            todo="copy it again if it was cut short; make a tiled TIFF of a plain one "
            "(vips tiffsave IN OUT --tile --pyramid --compression jpeg)",
        )
    return SlideError("the slide is damaged", where=where, found=found, todo=todo)
