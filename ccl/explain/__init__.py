"""Stage ``explain``: what the prediction for single patients rests on (Figure 9 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

from ccl.config.settings import setting
from ccl.methods import METHODS

VERSION = 3
"""Raise it when the output of the stage changes for the same input."""

EXPLAINED = tuple(name for name, method in METHODS.items() if method.attention)
"""Methods with attention to show."""


@dataclass(frozen=True)
class ExplainSettings:
    """Who is explained."""

    patients: tuple[str, ...] = setting("patients to explain; without any, as many as count says")
    count: int = setting("patients to explain where none are named, of the highest and the lowest risk in equal parts")
