"""Stage ``report``: everything that was found, and how, on one page that opens anywhere."""

from __future__ import annotations

VERSION = 5
"""Bumped when the stage's output changes for the same input."""
