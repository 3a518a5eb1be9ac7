"""Stage ``components``: where the knowledge components of test patients lie (Figure 8 of the paper)."""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

DECOMPOSED = ("ccl",)
"""Methods with components; it stands here because Snakemake, which must know, does not load torch."""
