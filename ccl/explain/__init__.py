"""Stage ``explain``: explanations of the predictions for single patients (Figure 9 of the paper)."""

from __future__ import annotations

from ccl.methods import METHODS

VERSION = 3
"""Raise it when the output of the stage changes for the same input."""

EXPLAINED = tuple(name for name, method in METHODS.items() if method.attention)
"""Methods with attention to show."""
