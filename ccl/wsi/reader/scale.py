"""The scale of a slide: micrometres per pixel at level 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ccl.io.errors import SlideError
from ccl.io.progress import say
from ccl.io.sheets import MAX_MPP, MIN_MPP, Slide

MAX_ANISOTROPY = 0.02
"""How much the scales of x and y may differ (relative): patches are square in pixels and in um."""

MAX_DISAGREEMENT = 0.05
"""A larger relative difference between the scales of the sample sheet and the file is reported."""

UM_PER_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0}

Properties = Mapping[str, str]


def level0_mpp(slide: Slide, properties: Properties) -> float:
    """Return the scale of `slide` at level 0 in um/px.

    The first of these that exists is used: the sample sheet, the file's own scale (OpenSlide takes it from the
    vendor's metadata), the TIFF resolution tags, and 10 um divided by the objective's power.  A note on stderr says if
    the file differs from the sample sheet by more than 5 %.

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
        _note_disagreement(slide, slide.mpp, properties)
        return slide.mpp
    for origin, read in SOURCES.items():
        pair = read(properties)
        if pair is None:
            continue
        for mpp in pair:
            _check_plausible(slide, mpp, origin)
        if abs(pair[0] - pair[1]) > MAX_ANISOTROPY * min(pair):
            raise _unusable(slide, "the pixels of the slide are not square", f"{pair[0]:g} x {pair[1]:g} um ({origin})")
        return (pair[0] + pair[1]) / 2
    raise _unusable(slide, "the slide does not say its scale", "no um per pixel, resolution tags or objective power")


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


def _note_disagreement(slide: Slide, mpp: float, properties: Properties) -> None:
    for origin, read in SOURCES.items():
        pair = read(properties)
        if pair is None:
            continue
        if any(abs(own - mpp) > MAX_DISAGREEMENT * mpp for own in pair):
            own = " x ".join(f"{value:.4g}" for value in dict.fromkeys(pair))
            text = f"note: slide {slide.slide_id}: the sample sheet says {mpp:g} um/px, {origin} {own}; the sheet wins"
            say(text)
        return


def _check_plausible(slide: Slide, mpp: float, origin: str) -> None:
    if not MIN_MPP <= mpp <= MAX_MPP:
        raise _unusable(slide, "the scale of the slide is implausible", f"{mpp:g} um/px from {origin}")


def _unusable(slide: Slide, problem: str, found: str) -> SlideError:
    return SlideError(
        problem,
        where=f"slide {slide.slide_id}, {slide.path}",
        found=found,
        expected=f"{MIN_MPP:g} to {MAX_MPP:g} um per pixel at level 0",
        todo="fill the column `mpp` of the sample sheet for this slide (0.25 is common at 40x, 0.5 at 20x)",
    )
