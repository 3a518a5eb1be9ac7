"""Slides that are not stained tissue in bright light: fluorescence on black, and pictures without colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ccl.wsi.tissue.glass import glass_colour

WAVELENGTHS = ("hamamatsu.EmissionWaveLength", "hamamatsu.ExcitationWaveLength")
CHANNELS = ("hamamatsu.Name", "hamamatsu.CubeName", "hamamatsu.EmissionName")
"""Properties of the shading data of NDPI files."""

DARK = 0.25
"""Brightness (0 to 1) of the background of a fluorescence slide."""

MOST_DARK = 0.5
"""A larger dark share of a slide (0 to 1) is its background."""

BRIGHT, PALE = 0.6, 0.3
"""Least brightness and largest saturation (0 to 1) of glass and pale tissue in bright light."""

LEAST_BRIGHT = 0.01
"""With a smaller bright share (0 to 1), a slide shows no glass."""

GREY = 6.0
"""Largest difference of channels (0 to 255) in a picture without colour."""

CONTRAST = 25.0
"""Least range of brightness (0 to 255) of a picture that shows something."""


def fluorescence_channel(properties: Mapping[str, str]) -> str:
    """Return which channel of fluorescence a slide's file says it is, or an empty text.

    Hamamatsu's scanners write an NDPI file for each channel, with the wavelength of its filter.

    Parameters
    ----------
    properties : mapping of str to str
        OpenSlide's properties of the file.
    """
    wavelength = next((value for key in WAVELENGTHS if (value := properties.get(key, "").strip().strip("0"))), "")
    if not wavelength:
        return ""
    name = next((value for key in CHANNELS if (value := properties.get(key, "").strip())), "without a name")
    return f"the file's channel {name}, of fluorescence"


def unusable_kind(thumbnail: NDArray[np.uint8]) -> str:
    """Return what kind of slide a thumbnail shows if it is none of stained tissue in bright light, else an empty text.

    Parameters
    ----------
    thumbnail : ndarray of uint8, (H, W, 3)
        RGB at some um/px.
    """
    brightest = thumbnail.max(axis=2).astype(np.float32)
    range_px = brightest - thumbnail.min(axis=2)
    dark = (brightest < 255 * DARK).mean()
    bright = ((brightest >= 255 * BRIGHT) & (range_px < PALE * brightest)).mean()
    if dark > MOST_DARK and bright < LEAST_BRIGHT:
        return f"a dark background on {dark:.0%} of the slide, as of fluorescence"
    seen = np.minimum(thumbnail / glass_colour(thumbnail), 1) * 255
    grey = np.quantile(seen.max(axis=2) - seen.min(axis=2), 0.999) <= GREY
    if grey and np.ptp(np.quantile(seen.mean(axis=2), [0.01, 0.99])) >= CONTRAST:
        return "no colours, as of a grayscale picture"
    return ""
