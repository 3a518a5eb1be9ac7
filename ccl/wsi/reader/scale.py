"""The scale of a slide: micrometres per pixel at level 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from xml.etree import ElementTree

from ccl.io.errors import SlideError
from ccl.io.sheets import MAX_MPP, MIN_MPP, Slide

MAX_ANISOTROPY = 0.02
"""How much the scales of x and y may differ (relative): patches are square in pixels and in um."""

MAX_DISAGREEMENT = 0.05
"""A larger relative difference between the scales of the sample sheet and the file is reported."""

MAX_OCTAVES = 0.5
"""A scale that differs from the usual one of the objective by more than this power of 2 is reported."""

SMALL_PX = 2048
"""A file without a usable scale whose longer side is shorter is probably no whole slide."""

UM_PER_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0}

UM_PER_OME_UNIT = {
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "µm": 1.0,
    "um": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "in": 25_400.0,
}

Properties = Mapping[str, str]


def level0_mpp(slide: Slide, properties: Properties) -> float:
    """Return the scale of `slide` at level 0 in um/px.

    The first of these that exists is used: the sample sheet, the physical size of a pixel in OME-XML, the file's own
    scale (OpenSlide takes it from the vendor's metadata), the TIFF resolution tags, and 10 um divided by the power of
    the objective.

    Parameters
    ----------
    slide : Slide
        The slide, with the sheet's ``mpp`` or None.
    properties : mapping of str to str
        OpenSlide's properties of the file.

    Raises
    ------
    SlideError
        There is no scale, it lies outside 0.05 to 20 um/px, or x and y differ by more than 2 %.
    """
    if slide.mpp is not None:
        _check_plausible(slide, slide.mpp, "the sample sheet")
        return slide.mpp
    for origin, read in SOURCES.items():
        pair = read(properties)
        if pair is None:
            continue
        for mpp in pair:
            _check_plausible(slide, mpp, origin, properties)
        if abs(pair[0] - pair[1]) > MAX_ANISOTROPY * min(pair):
            raise _unusable(slide, "the pixels of the slide are not square", f"{pair[0]:g} x {pair[1]:g} um ({origin})")
        return (pair[0] + pair[1]) / 2
    found = "no um per pixel, resolution tags or objective power"
    raise _unusable(slide, "the slide does not say its scale", found, properties)


def scale_notes(slide: Slide, mpp: float, properties: Properties) -> list[str]:
    """Return what is doubtful about a scale of `mpp` um/px: the file says another one, or its objective does not fit.

    Parameters
    ----------
    slide : Slide
        The slide, with the sheet's ``mpp`` or None.
    mpp : float
        The scale in use, as :func:`level0_mpp` gives it.
    properties : mapping of str to str
        OpenSlide's properties of the file.
    """
    notes = []
    own = next(((origin, pair) for origin, read in SOURCES.items() if (pair := read(properties))), None)
    if slide.mpp is not None and own and any(abs(value - mpp) > MAX_DISAGREEMENT * mpp for value in own[1]):
        found = " x ".join(f"{value:.4g}" for value in dict.fromkeys(own[1]))
        notes.append(f"the sample sheet says {mpp:g} um/px, {own[0]} {found}; the sheet wins")
    objective = _numbers(properties, "openslide.objective-power")
    if objective and objective[0] > 0 and abs(math.log2(objective[0] * mpp / 10)) > MAX_OCTAVES:
        notes.append(
            f"the file's objective is {objective[0]:g}x, where about {10 / objective[0]:g} um/px are usual, but"
            f" {mpp:.4g} um/px are used"
        )
    return notes


def _from_ome(properties: Properties) -> tuple[float, float] | None:
    """Return the physical size of a pixel in the OME-XML of an OME-TIFF."""
    text = properties.get("tiff.ImageDescription", "")
    # OME-XML declares no entities, which could become gigabytes or name other files.
    if "<OME" not in text or "<!" in text.replace("<!--", ""):
        return None
    try:
        pixels = ElementTree.fromstring(text).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None
    x, y = (_um(pixels, f"PhysicalSize{axis}") if pixels is not None else None for axis in "XY")
    return (x, y) if x and y else None


def _um(pixels: ElementTree.Element, name: str) -> float | None:
    """Return a length of OME-XML in um, whose unit is um unless it says another; None if there is none."""
    try:
        return float(pixels.get(name, "")) * UM_PER_OME_UNIT[pixels.get(f"{name}Unit", "µm")]
    except (ValueError, KeyError):
        return None


def _from_openslide(properties: Properties) -> tuple[float, float] | None:
    return _pair(_numbers(properties, "openslide.mpp-x", "openslide.mpp-y"))


def _from_tags(properties: Properties) -> tuple[float, float] | None:
    unit = UM_PER_UNIT.get(properties.get("tiff.ResolutionUnit", ""))
    per_unit = _pair(_numbers(properties, "tiff.XResolution", "tiff.YResolution"))
    if unit is None or per_unit is None or min(per_unit) <= 0:
        return None
    return unit / per_unit[0], unit / per_unit[1]


def _from_objective(properties: Properties) -> tuple[float, float] | None:
    powers = _numbers(properties, "openslide.objective-power")
    return (10 / powers[0], 10 / powers[0]) if powers and powers[0] > 0 else None


SOURCES: dict[str, Callable[[Properties], tuple[float, float] | None]] = {
    "the file's OME-XML": _from_ome,
    "the file's metadata": _from_openslide,
    "the file's TIFF resolution tags": _from_tags,
    "10 um / objective power": _from_objective,
}
"""Sources of the scale in a file, best first."""


def _numbers(properties: Properties, *names: str) -> list[float]:
    found = []
    for name in names:
        try:
            found.append(float(properties[name]))
        except (KeyError, ValueError):
            return []
    return found


def _pair(numbers: Iterable[float]) -> tuple[float, float] | None:
    values = tuple(numbers)
    return (values[0], values[1]) if values else None


def _check_plausible(slide: Slide, mpp: float, origin: str, properties: Properties | None = None) -> None:
    if not MIN_MPP <= mpp <= MAX_MPP:
        raise _unusable(slide, "the scale of the slide is implausible", f"{mpp:g} um/px from {origin}", properties)


def _unusable(slide: Slide, problem: str, found: str, properties: Properties | None = None) -> SlideError:
    """Return the error for a scale; `properties` tell whether the file is a slide or only a picture of one."""
    todo = "fill the column `mpp` of the sample sheet for this slide (0.25 is common at 40x, 0.5 at 20x)"
    sides = _numbers(properties or {}, "openslide.level[0].width", "openslide.level[0].height")
    if sides and max(sides) < SMALL_PX:
        found += f"; {sides[0]:.0f} x {sides[1]:.0f} px, as small as a thumbnail or a coarse level"
        todo = (
            "give the file of the whole slide; if there is none, fill `mpp` of the sample sheet with this one's scale"
        )
    return SlideError(
        problem,
        where=f"slide {slide.slide_id}, {slide.path}",
        found=found,
        expected=f"{MIN_MPP:g} to {MAX_MPP:g} um per pixel at level 0",
        todo=todo,
    )
