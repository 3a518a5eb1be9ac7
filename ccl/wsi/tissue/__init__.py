"""Stage ``tissue``: outlines of the tissue on each slide, without pen and borders."""

from __future__ import annotations

VERSION = 4
"""Bumped when the stage's output changes for the same input."""
