"""Stage ``quality``: all slides of a cohort on one page; slides that may have problems come first."""

from __future__ import annotations

VERSION = 2
"""Bumped when the stage's output changes for the same input."""
