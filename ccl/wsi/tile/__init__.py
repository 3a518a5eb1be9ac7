"""Stage ``tile``: one grid of patches over each slide's tissue, exact in micrometres."""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""
