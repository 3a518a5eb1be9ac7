"""Stage ``cluster``: summarises the patches of each patient by k centres."""

from __future__ import annotations

VERSION = 2
"""Bumped when the stage's output changes for the same input."""
