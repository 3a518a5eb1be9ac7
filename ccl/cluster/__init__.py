"""Stage ``cluster``: the patches of each patient as k centres."""

from __future__ import annotations

from dataclasses import dataclass

from ccl.settings import setting

VERSION = 1
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class ClusterSettings:
    """How K-means is run."""

    k: int = setting("clusters of a patient's patches")
    restarts: int = setting("K-means starts, of which the best is kept")
