"""Opening a slide with a suitable reader, and a digest of its content."""

from __future__ import annotations

from ccl.io.errors import ChangedError, InputError
from ccl.io.files import digest, fingerprint
from ccl.io.sheets import Slide
from ccl.wsi.reader.by_openslide import entry_file
from ccl.wsi.reader.direct import DirectReader
from ccl.wsi.reader.protocol import SlideReader


def open_slide(slide: Slide, *, halve: bool = False) -> SlideReader:
    """Open a slide of the cohort, with the fastest reader that gives OpenSlide's pixels.

    Parameters
    ----------
    slide : Slide
        The slide.
    halve : bool
        Also give levels that libjpeg decodes at half size, which differ slightly from the exact ones.

    Raises
    ------
    SlideError
        The file is missing, empty, damaged, not a slide, or its scale is unknown.
    """
    return DirectReader(slide, halve=halve)


def slide_fingerprint(slide: Slide) -> str:
    """Return a digest of the slide's content, cheap for gigabytes.

    A MIRAX slide is its ``.mrxs`` file and the folder of the same name beside it; a DICOM slide named by its folder is
    that folder.

    Raises
    ------
    SlideError
        There is no such file.
    """
    path = entry_file(slide)
    folder = path.with_suffix("")
    if path.suffix.lower() == ".mrxs" and folder.is_dir():
        return digest(fingerprint(path), fingerprint(folder))
    return fingerprint(slide.path)


def check_outlined(slide: Slide, outlined: str) -> None:
    """Check that a slide is still the one whose tissue was outlined.

    Parameters
    ----------
    outlined : str
        :func:`slide_fingerprint` of that slide; empty in a file of an older version, which did not record it.

    Raises
    ------
    ChangedError
        The slide is gone, or its content is another one.
    """
    try:
        found = slide_fingerprint(slide)
    except (InputError, OSError) as error:
        raise ChangedError(
            "the slide was outlined, and is gone",
            where=f"slide {slide.slide_id}, {slide.path}",
            todo="put the slide back; or remove it from the sheet",
        ) from error
    if outlined and found != outlined:
        raise ChangedError(
            "the slide is not the one that was outlined",
            where=f"slide {slide.slide_id}, {slide.path}",
            found=f"content {found[:12]}",
            expected=f"content {outlined[:12]}",
            todo="run snakemake with `--forcerun tissue`, or put the other file back",
        )
