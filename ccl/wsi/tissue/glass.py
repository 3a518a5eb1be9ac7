"""The colour of the empty glass of a slide, which tissue is compared with.

Glass is even and bright, and nearly without colour.  Lamps, stains of the background and scanners tint it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

EVEN = 8
"""Largest difference of neighbouring pixels on glass (0 to 255); tissue is rougher."""

DIMMEST = 0.6
"""Least brightness of glass (0 to 1)."""

MOST_TINT = 0.25
"""Largest saturation of glass (0 to 1)."""

FILLER = 253
"""Where all channels are brighter, nothing was scanned, or the lamp was too bright to see a tint."""

LEAST = 0.005
"""If even, bright pixels are a smaller share of the thumbnail, it shows no glass."""

BIN = 8
"""Width of the bins of the histogram of colours (0 to 255)."""

LARGE = 0.2
"""Of the colours that are at least this frequent, relative to the most frequent, the brightest is that of glass."""

SPREAD = 12
"""Pixels of glass differ by at most this from its colour (0 to 255)."""

SAMPLE = 250_000
"""About so many pixels are enough."""

WHITE = (255.0, 255.0, 255.0)


def glass_colour(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the colour of empty glass on a thumbnail; white if it shows no glass.

    Parameters
    ----------
    thumbnail : ndarray of uint8, (H, W, 3)
        RGB at some um/px.

    Returns
    -------
    ndarray of float32, (3,)
        0 to 255.
    """
    step = max(1, int((thumbnail.size / 3 / SAMPLE) ** 0.5))
    even, thumbnail = _even(thumbnail)[::step, ::step], thumbnail[::step, ::step]
    brightest, darkest = thumbnail.max(axis=2), thumbnail.min(axis=2)
    tinted = (brightest - darkest) > MOST_TINT * brightest
    colours = thumbnail[even & (brightest >= 255 * DIMMEST) & ~tinted & (darkest < FILLER)]
    if len(colours) < LEAST * even.size:
        return np.array(WHITE, np.float32)
    centre = _mode(colours)
    near = (np.abs(colours.astype(np.float32) - centre) <= SPREAD).all(axis=1)
    return np.asarray(np.median(colours[near], axis=0), np.float32)


def _even(thumbnail: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels that differ little from all eight neighbours."""
    window = np.ones((3, 3), np.uint8)
    difference = cv2.dilate(thumbnail, window) - cv2.erode(thumbnail, window)
    return np.asarray(difference.max(axis=2) <= EVEN)


def _mode(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the brightest of the frequent colours (N, 3), to the nearest bin."""
    side = 256 // BIN
    cells = (colours // BIN).astype(np.int64) @ np.array([side * side, side, 1])
    counts = np.bincount(cells, minlength=side**3).reshape(side, side, side)
    frequency = uniform_filter(counts.astype(np.float32), 3, mode="constant")
    bins = np.argwhere(frequency >= LARGE * frequency.max())
    # Of equally bright bins, the most frequent.
    rank = bins.sum(axis=1) + frequency[tuple(bins.T)] / (2 * frequency.max())
    return np.asarray((bins[rank.argmax()] + 0.5) * BIN, np.float32)
