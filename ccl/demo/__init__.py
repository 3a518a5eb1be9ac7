"""The synthetic cohort: real file formats and a planted risk, made offline from a seed.

No real data are used: every slide, gene and month is drawn here, and ``truth/`` says how.
"""

from __future__ import annotations

VERSION = 1
"""Bumped when the cohort changes for the same settings."""
