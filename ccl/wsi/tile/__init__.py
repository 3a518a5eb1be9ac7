"""Stage ``tile``: one grid of patches over each slide's tissue, exact in micrometres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccl.config.settings import setting

VERSION = 1
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class TileSettings:
    """The grid, and which of its patches to keep."""

    patch_size: int = setting("side of a patch (px at the target scale)")
    mpp: float = setting("target scale (um/px); 0.5 is 20x")
    unit: Literal["microns", "magnification"] = setting("what makes patches of two slides alike: um or nominal power")
    min_tissue: float = setting("least share of a patch that must be tissue (0 to 1)")
