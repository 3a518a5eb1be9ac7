"""Stage ``components``: the knowledge components of test patients and how they differ (Figure 8 of the paper)."""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

DECOMPOSED = ("ccl",)
"""Methods with knowledge components; listed here because Snakemake needs them and does not load torch."""
