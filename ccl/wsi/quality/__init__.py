"""Stage ``quality``: the slides of a cohort side by side, those first that a reader should look at."""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""
