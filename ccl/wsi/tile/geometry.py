"""The patches of one slide at one scale: their side, their distance, where they lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from ccl.config.sections import TileSettings
from ccl.io.errors import SlideError
from ccl.wsi.tile.grid import grid_positions, nominal_magnification, tissue_fractions
from ccl.wsi.tissue.outlines import Outlines


@dataclass(frozen=True)
class Geometry:
    """The patches of one slide at one scale."""

    settings: TileSettings
    mpp: float
    """The scale (um/px)."""
    outlines: Outlines
    """The slide."""

    @property
    def magnifications(self) -> tuple[float, float]:
        """The power of level 0 and of the patches."""
        scales = (self.outlines.level0_mpp, self.mpp)
        if self.settings.unit == "magnification":
            return nominal_magnification(scales[0]), nominal_magnification(scales[1])
        return 10 / scales[0], 10 / scales[1]

    def _level0_px(self, pixels: int) -> float:
        """Return a length at the scale in level-0 pixels; a whole number in nominal geometry."""
        if self.settings.unit == "magnification":
            level0, target = self.magnifications
            return float(pixels * level0 // target)
        return pixels * self.mpp / self.outlines.level0_mpp

    @property
    def side_px(self) -> float:
        """The side of a patch in level-0 pixels."""
        return self._level0_px(self.settings.patch_size)

    @property
    def pitch_px(self) -> float:
        """The distance of neighbouring patches in level-0 pixels."""
        return self.side_px - self._level0_px(self.settings.overlap) if self.settings.overlap else self.side_px

    @property
    def target_mpp(self) -> float:
        """The um/px of this slide's patches; in nominal geometry it depends on the scanner."""
        if self.settings.unit == "magnification":
            return self.side_px / self.settings.patch_size * self.outlines.level0_mpp
        return self.mpp

    def coords(self, polygons: Iterable[Polygon]) -> NDArray[np.int64]:
        """Return the corners (N, 2), as (x, y), of the patches with enough tissue in some polygons, row by row.

        Raises
        ------
        SlideError
            There is no such patch.
        """
        outlines, side_px, pitch_px = self.outlines, self.side_px, self.pitch_px
        xs = grid_positions(outlines.level0_width, pitch_px, side_px)
        ys = grid_positions(outlines.level0_height, pitch_px, side_px)
        shares = tissue_fractions(
            polygons, len(xs), len(ys), pitch_px=pitch_px, mpp=outlines.level0_mpp, side_px=side_px
        )
        rows, columns = np.nonzero(shares >= self.settings.min_tissue)
        if not rows.size:
            at = f" at {self.mpp:g} um/px" if self.settings.also_mpp else ""
            raise SlideError(
                f"no patch with enough tissue{at}",
                where=f"slide {outlines.slide_id}",
                found=f"a share of at most {shares.max(initial=0):.2f} in {shares.size} patches of {side_px:g} px",
                expected=f"{self.settings.min_tissue:g}",
                todo="look at the picture of the tissue stage; lower `tile: min_tissue` or leave the slide out",
            )
        return np.column_stack([xs[columns], ys[rows]])

    def attributes(self, folder: str) -> dict[str, Any]:
        """Return TRIDENT's attributes of ``coords`` for a file in a folder (docs/formats.md)."""
        outlines, (level0, target) = self.outlines, self.magnifications
        return {
            "patch_size": self.settings.patch_size,
            "patch_size_level0": _whole(self.side_px),
            "level0_magnification": _whole(level0),
            "target_magnification": _whole(target),
            "overlap": self.settings.overlap,
            "name": outlines.slide_id,
            "savetodir": folder,
            "level0_width": outlines.level0_width,
            "level0_height": outlines.level0_height,
            "level0_mpp": outlines.level0_mpp,
            "slide_fingerprint": outlines.fingerprint,
            "target_mpp": self.target_mpp,
        }


def _whole(value: float) -> int | float:
    """Return a whole number as int, because other readers of the file may need one."""
    return int(value) if float(value).is_integer() else value
