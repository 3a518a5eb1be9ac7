"""Stage ``cluster``: the patches of each patient as k centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccl.config.settings import setting

VERSION = 2
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class ClusterSettings:
    """How K-means is run."""

    k: int = setting("clusters of a patient's patches")
    restarts: int = setting("K-means starts, of which the best is kept")
    empty: Literal["reseed", "zero"] = setting("what an empty cluster gets: the farthest patch, or zero as its centre")
    normalise: Literal["none", "l2"] = setting("l2 divides each patch by its norm before clustering")
