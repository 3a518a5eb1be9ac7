"""Stage ``embed``: one vector per patch, by a pre-trained encoder."""

from __future__ import annotations

VERSION = 2
"""Bumped when the stage's output changes for the same input."""
