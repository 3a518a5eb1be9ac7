"""Filters of patches: out of focus, black, white, ink, and folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.config.sections import TileSettings, TissueSettings
from ccl.io.formats import Tiles
from ccl.wsi.reader.patches import patches, thumbnail
from ccl.wsi.reader.protocol import SlideReader
from ccl.wsi.tile.folds import fold_mask
from ccl.wsi.tissue.glass import glass_colour
from ccl.wsi.tissue.mask import ink_mask

SEEN_UM = 1.0
"""Focus, black and white are measured at this scale (um/px), or at that of coarser patches."""

INK_UM = 8.0
"""Ink and folds are found at this scale (um/px), as tissue is."""

BLACK = 0.2
"""Pixels whose channels are all darker (0 to 1) are black."""

WHITE = 0.92
"""Pixels whose channels are all brighter, relative to the glass (0 to 1), are white: glass, gaps and fat."""

Taken = NDArray[np.bool_]
Shares = NDArray[np.float64]


def taken_by_filters(
    reader: SlideReader, coords: NDArray[np.int64], attributes: Mapping[str, Any], settings: TileSettings
) -> dict[str, Taken]:
    """Return which patches each filter takes; a patch counts for the first filter that takes it.

    Parameters
    ----------
    reader : SlideReader
        The slide.
    coords : ndarray of int64, (N, 2)
        Corners of the patches in level-0 pixels.
    attributes : mapping
        Those of the tiles.
    settings : TileSettings
        The filters' limits; those at their defaults take nothing and read nothing.

    Returns
    -------
    dict of ndarray of bool, (N,)
        By the name of the filter, in order; only those that are on.

    Raises
    ------
    SlideError
        The slide cannot be read.
    """
    found: dict[str, Taken] = {}
    measured = settings.min_focus > 0 or settings.max_black < 1 or settings.max_white < 1
    if measured or settings.max_ink < 1 or settings.max_fold < 1:
        mpp = max(INK_UM, reader.mpp)
        seen = thumbnail(reader, mpp)
        if measured:
            focus, black, white = _measured(reader, Tiles(coords, attributes), glass_colour(seen))
            found["out of focus"] = focus < settings.min_focus
            found["black"] = black > settings.max_black
            found["white"] = white > settings.max_white
        side = float(attributes["patch_size_level0"])
        if settings.max_ink < 1:
            inked = ink_mask(seen, TissueSettings(mpp=mpp))
            found["ink"] = _share(inked, reader.dimensions, coords, side) > settings.max_ink
        if settings.max_fold < 1:
            found["fold"] = _share(fold_mask(seen, mpp), reader.dimensions, coords, side) > settings.max_fold
    if settings.artefacts != "none":
        found |= _artefacts(reader, coords, float(attributes["patch_size_level0"]), settings)
    before = np.zeros(len(coords), bool)
    for name, taken in found.items():
        found[name] = taken & ~before
        before |= taken
    return {name: taken for name, taken in found.items() if taken.any()}


def _measured(
    reader: SlideReader, tiles: Tiles, glass: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the focus of each patch (variance of the Laplacian of grey, 0 to 255), and its black and white share."""
    extent_um = float(tiles.attributes["patch_size_level0"]) * reader.mpp
    size_px = max(8, round(extent_um / max(SEEN_UM, float(tiles.attributes["target_mpp"]))))
    focus, black, white = np.zeros((3, len(tiles.coords)))
    for block in patches(reader, tiles, size_px):
        for position, pixels in zip(block.positions.tolist(), block.pixels, strict=True):
            focus[position] = cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
            black[position] = (pixels.max(axis=2) < 255 * BLACK).mean()
            white[position] = (pixels >= WHITE * glass).all(axis=2).mean()
    return focus, black, white


def _artefacts(reader: SlideReader, coords: NDArray[np.int64], side: float, settings: TileSettings) -> dict[str, Taken]:
    """Return which patches the learned segmentation takes, by the class that most of it has."""
    # Loading torch takes seconds, which a stage without a network need not spend.
    from ccl.wsi.tile.artefacts import SEGMENTATIONS, artefact_masks, load

    masks = artefact_masks(reader, load(settings), SEGMENTATIONS[settings.artefacts], coords, side)
    shares = np.stack([_share(mask, reader.dimensions, coords, side) for mask in masks.values()])
    taken, most = shares.sum(axis=0) > settings.max_artefact, shares.argmax(axis=0)
    return {f"{settings.artefacts}: {name}": taken & (most == index) for index, name in enumerate(masks)}


def _share(mask: Taken, dimensions: tuple[int, int], coords: NDArray[np.int64], side: float) -> Shares:
    """Return the share of a mask (H, W) of the whole slide in each patch.

    Parameters
    ----------
    mask : ndarray of bool, (H, W)
        At some scale.
    dimensions : tuple of int
        Width and height of the slide in level-0 pixels.
    coords : ndarray of int64, (N, 2)
        Corners of the patches in level-0 pixels.
    side : float
        Side of a patch in level-0 pixels.
    """
    scale = np.array(dimensions) / mask.shape[1::-1]
    total = np.pad(mask.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    first = np.floor(coords / scale).astype(int)
    last = np.maximum(np.ceil((coords + side) / scale).astype(int), first + 1)
    last = np.minimum(last, np.array(mask.shape[1::-1]))
    (left, top), (right, bottom) = first.T, last.T
    within = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    return np.asarray(within / ((right - left) * (bottom - top)))
