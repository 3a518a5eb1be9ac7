"""Stage ``source``: a public download becomes the tables of patients, covariates and omics that other stages read."""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""
