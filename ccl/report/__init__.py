"""Stage ``report``: everything that was found, and how, on one page that opens anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from ccl.config.settings import setting

VERSION = 5
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class ReportSettings:
    """What the report is called and how many slides it shows."""

    title: str = setting("heading of the report")
    thumbnails: int = setting("slides shown in the quality gallery")
