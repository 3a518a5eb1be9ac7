"""Which pixels of a thumbnail are tissue.

Stained tissue is more saturated than glass, so one threshold on saturation relative to the glass of the slide finds it.
Pen ink is saturated too, but hematoxylin and eosin give only hues from 240 (blue) to 350 degrees (pink), and are never
as even as violet ink.  Black ink, borders of a scan and grey dirt have no hue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.config.sections import TissueSettings
from ccl.wsi.tissue.glass import glass_colour

CLOSING_UM = 8.0
"""Gaps up to twice this width are closed, because tissue is full of white slits."""

INNER_PX = 3
"""Side of the window in which a pixel at the edge of tissue is compared with the tissue further in."""

STROKE_UM = 20.0
"""Thinner marks are dots in the tissue, not pen strokes (a felt tip draws 300 um or more)."""

BLEED_UM = 64.0
"""Width of the paler rim around a stroke."""

RIM_DEGREES = 10.0
"""Largest difference in hue between ink and its rim, where glass shines through."""

DARK, DIM = 0.35, 0.65
"""Brightness (0 to 1) below which a colourless pixel is black ink or border, and that of its rim."""

COLOURLESS = 0.10
"""Difference of the strongest and weakest channel (0 to 1) below which a pixel has no colour of its own."""

LEAST_EVEN = 0.14
"""Least share of even windows in 7 x 7 px of ink, which a stroke fills only in part."""

DARKEST = 0.02
"""Darker values (0 to 1) are noise."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ink:
    """The look of one kind of ink: a range of hues (degrees, clockwise from first to last)."""

    first: float
    last: float
    least_saturation: float
    """Least saturation of the core of a stroke; pale or bluish tissue has less."""
    most_red: float = 1.0
    """Largest red value (0 to 1) of the core; hematoxylin alone lets more red light pass."""
    even: bool = False
    """Whether evenness tells the ink, because tissue can have its colours."""
    like_tissue: bool = False
    """Whether hematoxylin and eosin have its colours too, so that the rim of a stroke can be tissue."""


INKS = (
    Ink(70, 190, 0.25),
    Ink(190, 238, 0.62),
    Ink(238, 265, 0.62, most_red=0.15),
    Ink(350, 20, 0.70),
    Ink(250, 300, 0.55, even=True, like_tissue=True),
    Ink(40, 70, 0.50, even=True),
)
"""Green, blue, blue over tissue, red, violet, yellow.  Brown (20 to 40) is kept: pigment, bile and DAB are tissue."""

MOST_GRAIN = 0.03
"""Largest variation of the density of ink in a window of 3 x 3 px, relative to its mean."""


def tissue_mask(thumbnail: NDArray[np.uint8], settings: TissueSettings) -> Mask:
    """Return where a thumbnail shows tissue.

    Parameters
    ----------
    thumbnail : ndarray of uint8, (H, W, 3)
        RGB at ``settings.mpp`` um/px.
    settings : TissueSettings
        Scale, saturation threshold, and the smallest hole, which is also the smallest area of ink to cut out of tissue.

    Returns
    -------
    ndarray of bool, (H, W)
    """
    rgb, hsv = _relative(thumbnail)
    ink = _ink(hsv, rgb, settings)
    saturation = np.ascontiguousarray(hsv[..., 1])
    coloured = (cv2.medianBlur(saturation, 3) >= settings.threshold) & ~ink
    whole = coloured & ~_mostly_glass(coloured, saturation)
    closed = cv2.morphologyEx(_bytes(whole), cv2.MORPH_CLOSE, _disc(CLOSING_UM, settings.mpp)) > 0
    return closed & ~_large(ink, settings.min_hole_mm2 / (settings.mpp / 1000) ** 2)


def ink_mask(thumbnail: NDArray[np.uint8], settings: TissueSettings) -> Mask:
    """Return where a thumbnail (H, W, 3) shows ink or black areas with their rims, which is no tissue."""
    rgb, hsv = _relative(thumbnail)
    return _ink(hsv, rgb, settings)


def _relative(thumbnail: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return RGB relative to the glass, 0 to 1, and the same as hue in degrees, saturation and value."""
    rgb = np.minimum(thumbnail / glass_colour(thumbnail), np.float32(1))
    return rgb, np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV), np.float32)


def _mostly_glass(coloured: Mask, saturation: NDArray[np.float32]) -> Mask:
    """Return the outermost pixels of tissue that are less than half as saturated as the tissue further in.

    Such a pixel averages more glass than tissue.  A low threshold still accepts it, and outlines would lie too far
    out.  If there is no tissue further in, the tissue is thin and is kept.
    """
    inner = cv2.erode(_bytes(coloured), np.ones((3, 3), np.uint8)).astype(np.float32)
    window = (INNER_PX, INNER_PX)
    total, count = cv2.blur(saturation * inner, window), cv2.blur(inner, window)
    return np.asarray(coloured & (inner == 0) & (saturation * count < total / 2), bool)


def _ink(hsv: NDArray[np.float32], rgb: NDArray[np.float32], settings: TissueSettings) -> Mask:
    """Return strokes of ink and black areas with their rims; `hsv` is in degrees, 0 to 1, 0 to 1, `rgb` in 0 to 1."""
    hue, saturation, value = (np.ascontiguousarray(hsv[..., channel]) for channel in range(3))
    colourless = saturation * value < COLOURLESS
    coloured = saturation >= settings.threshold
    found = _stroke(colourless & (value < DARK), lambda: colourless & (value < DIM), settings)
    for ink in INKS:
        core = _between(hue, ink.first, ink.last) & (saturation >= ink.least_saturation) & (rgb[..., 0] <= ink.most_red)
        if ink.even and core.any():
            core &= _even(rgb)
        first, last = ink.first - RIM_DEGREES, ink.last + RIM_DEGREES
        pale = partial(_pale, hue, coloured, None if ink.like_tissue else (first, last))
        found |= _stroke(core, pale, settings, like_tissue=ink.like_tissue)
    return cv2.dilate(_bytes(found), _disc(STROKE_UM / 2, settings.mpp)) > 0


def _pale(hue: NDArray[np.float32], coloured: Mask, hues: tuple[float, float] | None) -> Mask:
    """Return where a coloured pixel has one of some hues, or any."""
    return coloured & _between(hue, *hues) if hues else coloured


def _stroke(core: Mask, pale: Callable[[], Mask], settings: TissueSettings, *, like_tissue: bool = False) -> Mask:
    """Return the strokes with pixels of `core`, and their rims among the pixels that `pale` gives."""
    stroke = _disc(STROKE_UM / 2, settings.mpp)
    opened = cv2.morphologyEx(_bytes(core), cv2.MORPH_OPEN, stroke)
    if not opened.any():
        return opened > 0
    rim, near = pale(), cv2.dilate(opened, _disc(BLEED_UM, settings.mpp)) > 0
    if like_tissue:
        # Beyond its blurred edge, the rim of the ink is what ends near the stroke; tissue goes on.
        edge = cv2.dilate(opened, stroke, iterations=2) > 0
        near = edge | _within(rim & (opened == 0), near)
    return (opened > 0) | (rim & near)


def _within(mask: Mask, area: Mask) -> Mask:
    """Return the connected parts of `mask` that lie wholly within `area`."""
    _, labels = cv2.connectedComponents(_bytes(mask), connectivity=8)
    keep = np.ones(labels.max() + 1, bool)
    keep[labels[~area]] = False
    keep[0] = False
    return np.asarray(keep[labels], bool)


def _even(rgb: NDArray[np.float32]) -> Mask:
    """Return where the optical density of `rgb` (0 to 1) is as even as that of ink.

    Some windows of 3 x 3 px of tissue are even by chance; on a stroke, many in a row are.
    """
    density = -np.log(np.maximum(rgb, DARKEST)).sum(axis=2)
    mean = cv2.blur(density, (3, 3))
    deviation = np.sqrt(np.maximum(cv2.blur(density * density, (3, 3)) - mean * mean, 0))
    even = (deviation <= MOST_GRAIN * mean).astype(np.float32)
    often = cv2.blur(even, (7, 7)) >= LEAST_EVEN
    return cv2.dilate(_bytes(often & (even > 0)), np.ones((5, 5), np.uint8)) > 0


def _between(hue: NDArray[np.float32], first: float, last: float) -> Mask:
    """Return where a hue lies between two others, clockwise, in degrees."""
    first, last = first % 360, last % 360
    return (hue >= first) & (hue < last) if first <= last else (hue >= first) | (hue < last)


def _large(mask: Mask, least_px: float) -> Mask:
    """Return the connected parts of `mask` that have at least `least_px` pixels."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(_bytes(mask), connectivity=8)
    keep = statistics[:, cv2.CC_STAT_AREA] >= least_px
    keep[0] = False
    return np.asarray(keep[labels], bool)


def _disc(radius_um: float, mpp: float) -> NDArray[np.uint8]:
    """Return a disc of at least one pixel around its centre."""
    side = 2 * max(1, round(radius_um / mpp)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _bytes(mask: Mask) -> NDArray[np.uint8]:
    return mask.astype(np.uint8)
