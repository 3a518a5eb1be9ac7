"""Stage ``download``: the slide files that a GDC manifest lists, where they are not there yet."""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""
