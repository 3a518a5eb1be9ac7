"""What made a page: the software, its commit and the date."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ccl import __version__

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
    source = Path(__file__).parents[1]
    try:
        # An installed copy may lie inside the user's repository, whose commit says nothing about ccl.
        _git(source, "ls-files", "--error-unmatch", "__init__.py")
        commit = _git(source, "rev-parse", "HEAD")
        changed = _git(source, "status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + (" with uncommitted changes" if changed else "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
