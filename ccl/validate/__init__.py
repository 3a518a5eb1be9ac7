"""Stage ``validate``: a bundle scored on patients of another hospital, whose follow-up is known.

Nothing is fitted to these patients, except what is named ``recalibrated`` and the Cox models of what the model adds to
their covariates.
"""

from __future__ import annotations

VERSION = 1
"""Raise it when the output of the stage changes for the same input."""
