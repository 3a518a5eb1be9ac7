"""Stage ``report``: all results and how they were made, on one page that needs no other file."""

from __future__ import annotations

VERSION = 8
"""Bumped when the stage's output changes for the same input."""
