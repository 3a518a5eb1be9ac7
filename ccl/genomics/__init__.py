"""Stage ``genomics``: omics tables grouped by the gene families of a GMT file."""

from __future__ import annotations

VERSION = 2
"""Bumped when the stage's output changes for the same input."""
