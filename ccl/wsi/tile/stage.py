"""The tile stage: the grid of one slide after the other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.config.keys import recorded
from ccl.config.sections import TileSettings
from ccl.io.errors import SlideError
from ccl.io.files import digest
from ccl.io.formats import ManifestRow, Tiles, stored_count
from ccl.io.shards import SlideStage
from ccl.io.sheets import Slide
from ccl.wsi.reader.opening import check_outlined, open_slide
from ccl.wsi.reader.patches import best_level
from ccl.wsi.reader.pictures import Picture, overview
from ccl.wsi.tile import VERSION
from ccl.wsi.tile.filters import taken_by_filters
from ccl.wsi.tile.grid import grid_positions, nominal_magnification, tissue_fractions
from ccl.wsi.tissue.outlines import Outlines

FRAME_RGB = (40, 40, 40)
TAKEN_RGB = (210, 0, 0)

FADED = 0.65
"""Opacity of the white over areas outside all patches."""

LEAST_FRAME_PX = 6.0
"""Smaller patches are drawn without frames, which would hide the slide."""


@dataclass(frozen=True)
class TileStage(SlideStage):
    """The ``tile`` stage of :func:`ccl.io.shards.run_shard`."""

    out: Path
    settings: TileSettings
    name: str = field(default="tile", init=False)

    def output(self, slide: Slide) -> Path:
        """Return ``tile/{slide}.h5``."""
        return self.out / f"{slide.slide_id}.h5"

    def picture(self, slide: Slide) -> Path:
        """Return ``tile/{slide}.jpg``: the patches on the slide."""
        return self.out / f"{slide.slide_id}.jpg"

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        """Return the digest of the outlines and the settings."""
        assert upstream is not None, "tile follows tissue"
        return digest("tile", VERSION, upstream.key, recorded(self.settings))

    def facts(self) -> dict[str, Any]:
        """Return ``version`` and ``settings``, for the record of the origin."""
        return {"version": VERSION, "settings": recorded(self.settings)}

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        """Return the key and the number of patches of a finished slide."""
        return stored_count(self.output(slide), "coords") if self.picture(slide).exists() else None

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        """Lay the grid over a slide's tissue, and draw it.

        Raises
        ------
        SlideError
            The slide cannot be read, is coarser than the patches, or no patch holds enough tissue.
        ChangedError
            The slide is not the one that was outlined.
        """
        assert upstream is not None, "tile follows tissue"
        outlines = Outlines.read(upstream.path, key=upstream.key)
        check_outlined(slide, outlines.fingerprint)
        coords = self._coords(outlines)
        attributes = self._attributes(outlines)
        with open_slide(slide) as reader:
            best_level(reader, self._target_mpp(outlines))
            picture = overview(reader)
            taken = taken_by_filters(reader, coords, attributes, self.settings)
        pitch_px = self._pitch_px(outlines)
        lost = np.logical_or.reduce([np.zeros(len(coords), bool), *taken.values()])
        draw_tiles(picture, coords[~lost], pitch_px)
        mark_taken(picture, coords[lost], pitch_px)
        picture.outline(outlines.polygons)
        picture.scale_bar()
        picture.write(self.picture(slide))
        counts = {name: int(which.sum()) for name, which in taken.items()}
        if lost.all():
            raise SlideError(
                "the filters took all patches",
                where=f"slide {slide.slide_id}",
                found=", ".join(f"{count} {name}" for name, count in counts.items()),
                todo="look at the picture of the tile stage; change the filters of the section `tile`",
            )
        filtered = {"filtered": json.dumps(counts)} if counts else {}
        Tiles(coords[~lost], {**attributes, **filtered}).write(self.output(slide), key)
        return int((~lost).sum())

    def _magnifications(self, outlines: Outlines) -> tuple[float, float]:
        """Return the power of level 0 and of the patches."""
        scales = (outlines.level0_mpp, self.settings.mpp)
        if self.settings.unit == "magnification":
            return nominal_magnification(scales[0]), nominal_magnification(scales[1])
        return 10 / scales[0], 10 / scales[1]

    def _pitch_px(self, outlines: Outlines) -> float:
        """Return the side of a patch in level-0 pixels; a whole number in nominal geometry."""
        if self.settings.unit == "magnification":
            level0, target = self._magnifications(outlines)
            return float(self.settings.patch_size * level0 // target)
        return self.settings.patch_size * self.settings.mpp / outlines.level0_mpp

    def _target_mpp(self, outlines: Outlines) -> float:
        """Return the um/px of this slide's patches; in nominal geometry it depends on the scanner."""
        if self.settings.unit == "magnification":
            return self._pitch_px(outlines) / self.settings.patch_size * outlines.level0_mpp
        return self.settings.mpp

    def _coords(self, outlines: Outlines) -> NDArray[np.int64]:
        """Return the corners (N, 2), as (x, y), of the patches with enough tissue, row by row."""
        pitch_px = self._pitch_px(outlines)
        xs = grid_positions(outlines.level0_width, pitch_px)
        ys = grid_positions(outlines.level0_height, pitch_px)
        shares = tissue_fractions(outlines.polygons, len(xs), len(ys), pitch_px=pitch_px, mpp=outlines.level0_mpp)
        rows, columns = np.nonzero(shares >= self.settings.min_tissue)
        if not rows.size:
            raise SlideError(
                "no patch with enough tissue",
                where=f"slide {outlines.slide_id}",
                found=f"a share of at most {shares.max(initial=0):.2f} in {shares.size} patches of {pitch_px:g} px",
                expected=f"{self.settings.min_tissue:g}",
                todo="look at the picture of the tissue stage; lower `tile: min_tissue` or leave the slide out",
            )
        return np.column_stack([xs[columns], ys[rows]])

    def _attributes(self, outlines: Outlines) -> dict[str, Any]:
        """Return TRIDENT's attributes of ``coords`` (docs/formats.md)."""
        level0, target = self._magnifications(outlines)
        return {
            "patch_size": self.settings.patch_size,
            "patch_size_level0": _whole(self._pitch_px(outlines)),
            "level0_magnification": _whole(level0),
            "target_magnification": _whole(target),
            "overlap": 0,
            "name": outlines.slide_id,
            "savetodir": str(self.out),
            "level0_width": outlines.level0_width,
            "level0_height": outlines.level0_height,
            "level0_mpp": outlines.level0_mpp,
            "slide_fingerprint": outlines.fingerprint,
            "target_mpp": self._target_mpp(outlines),
        }


def draw_tiles(picture: Picture, coords: NDArray[np.int64], pitch_px: float) -> None:
    """Frame the patches with corners `coords` (N, 2) and side `pitch_px`, in level-0 pixels, and fade the rest."""
    colours = picture.pixels.copy()
    picture.pixels[:] = np.rint(colours * (1 - FADED) + 255 * FADED)
    corners = list(zip(picture.points(coords).tolist(), picture.points(coords + pitch_px).tolist(), strict=True))
    for (left, top), (right, bottom) in corners:
        picture.pixels[top:bottom, left:right] = colours[top:bottom, left:right]
    if pitch_px / max(picture.level0_px) >= LEAST_FRAME_PX:
        for first, last in corners:
            cv2.rectangle(picture.pixels, first, last, FRAME_RGB, 1)


def mark_taken(picture: Picture, coords: NDArray[np.int64], pitch_px: float) -> None:
    """Cross out the patches that filters took, with corners `coords` (N, 2) and side `pitch_px`, in level-0 pixels."""
    corners = zip(picture.points(coords).tolist(), picture.points(coords + pitch_px).tolist(), strict=True)
    for (left, top), (right, bottom) in corners:
        cv2.rectangle(picture.pixels, (left, top), (right, bottom), TAKEN_RGB, 1)
        cv2.line(picture.pixels, (left, top), (right, bottom), TAKEN_RGB, 1)


def _whole(value: float) -> int | float:
    """Return a whole number as int, because other readers of the file may need one."""
    return int(value) if float(value).is_integer() else value
