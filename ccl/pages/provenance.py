"""What made a page: the software, its commit and the date."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ccl import __version__
from ccl.io.origin import git_state

PACKAGES = ("lifelines", "scipy", "matplotlib", "pandas")
"""Packages used for statistics and figures, listed in addition to those that training recorded."""


def provenance(versions: Iterable[Mapping[str, str]] = ()) -> dict[str, Any]:
    """Return what every template shows about how a page was made: ``software``, ``commit`` and ``date``.

    Parameters
    ----------
    versions : iterable of mapping
        Versions by package, as each run recorded them.
    """
    return {"software": software(versions), "commit": git_commit(), "date": datetime.now(UTC)}


def software(versions: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the version of each package, or all versions if runs used different ones."""
    found: dict[str, list[str]] = {"ccl": [__version__], "python": [platform.python_version()]}
    for run in versions:
        for package, number in run.items():
            if number not in found.setdefault(package, []):
                found[package].append(number)
    for package in PACKAGES:
        found.setdefault(package, []).append(version(package))
    return {package: ", ".join(numbers) for package, numbers in found.items()}


def git_commit() -> str | None:
    """Return the commit of ccl's source code, with a note if there are uncommitted changes; None if it is installed."""
    state = git_state(Path(__file__).parents[1], "__init__.py")
    return None if state is None else state["commit"] + (" with uncommitted changes" if state["changed"] else "")
