"""Stage ``table1``: Tables I to III of the CCL paper, for the models, cohorts and encoders of a config."""

from __future__ import annotations

VERSION = 2
"""Bumped when the stage's output changes for the same input."""
