"""Stage ``explain``: what the prediction for single patients rests on (Figure 9 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

from ccl.settings import setting

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

EXPLAINED = ("attmil", "clam-sb", "clam-mb", "mcat", "gpdbn", "hfbsurv", "porpoise", "ccl")
"""Methods that say what they attend to; it stands here because Snakemake, which must know, does not load torch."""


@dataclass(frozen=True)
class ExplainSettings:
    """Who is explained."""

    patients: tuple[str, ...] = setting("patients to explain; without any, as many as count says")
    count: int = setting("patients to explain where none are named, of the highest and the lowest risk in equal parts")
