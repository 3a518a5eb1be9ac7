"""Stage ``clinical``: the covariates of patients, such as age and stage, read as the config says."""

from __future__ import annotations

VERSION = 2
"""Bumped when the stage's output changes for the same input."""
