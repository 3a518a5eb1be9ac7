"""Stage ``train``: a method learns from the training patients of one fold."""

from __future__ import annotations

from ccl.methods import get_method

VERSION = 3
"""Raise it when the output of the stage changes for all methods; each method also has its own version."""


def version(method: str, track: str) -> int:
    """Return a number that rises when the stage's output for a method on a track changes for the same input."""
    declared = get_method(method)
    return VERSION + declared.version + (declared.native_version if track == "native" else 0)
