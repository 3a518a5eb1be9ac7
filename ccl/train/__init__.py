"""Stage ``train``: a method learns from the training patients of one fold."""

from __future__ import annotations

VERSION = 3
"""Bumped when the stage's output changes for the same input."""

NATIVE_VERSIONS = {"dtfd-mil": 1, "gpdbn": 1}
"""Bumped when a method's own recipe changes, and with it the native track of this method alone."""


def version(method: str, track: str) -> int:
    """Return a number that changes when what the stage makes of a method on a track changes."""
    return VERSION + (NATIVE_VERSIONS.get(method, 0) if track == "native" else 0)
