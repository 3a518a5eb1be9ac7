"""Stage ``tissue``: outlines of the tissue on each slide, without pen and borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccl.config.settings import setting

VERSION = 3
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class TissueSettings:
    """What counts as tissue."""

    mpp: float = setting("scale of the thumbnail that tissue is sought on (um/px)")
    threshold: float = setting("least colour saturation of tissue (0 to 1)")
    min_area_mm2: float = setting("smaller pieces of tissue are dropped (mm2)")
    min_hole_mm2: float = setting("smaller holes are filled (mm2)")
    annotation: Literal["restrict", "replace"] = setting(
        "what a slide's own annotation does: restrict the tissue found, or replace it"
    )
