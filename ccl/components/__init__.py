"""Stage ``components``: the knowledge components of test patients and how they differ (Figure 8 of the paper)."""

from __future__ import annotations

from ccl.methods import METHODS

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

DECOMPOSED = tuple(name for name, method in METHODS.items() if method.decomposes)
"""Methods with components."""
