"""Stage ``report``: all results and how they were made, on one page that needs no other file."""

from __future__ import annotations

from dataclasses import dataclass

from ccl.config.settings import setting

VERSION = 6
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class ReportSettings:
    """What the report is called."""

    title: str = setting("heading of the report")
