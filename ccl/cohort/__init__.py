"""Stage ``cohort``: patients, slides and folds, checked once and written in one layout."""

from __future__ import annotations

VERSION = 3
"""Bumped when the stage's output changes for the same input."""
