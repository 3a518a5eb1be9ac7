"""The synthetic cohort: real file formats, planted risk, made offline from a seed.

Nobody's data: every slide, gene and month is drawn here, and ``truth/`` says how.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccl.config.settings import setting

VERSION = 1
"""Bumped when the cohort changes for the same settings."""


@dataclass(frozen=True)
class DemoSettings:
    """What the synthetic cohort holds."""

    patients: int = setting("patients to make, 5 or more")
    seed: int = setting("seed of all draws; the same seed gives the same bytes")
    bags: bool = setting("write ready patch features instead of slides: hundreds of patients in seconds", default=False)
    shuffle_risk: bool = setting(
        "hand the follow-up to other patients at random: a cohort without any signal", default=False
    )
