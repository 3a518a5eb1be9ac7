"""Which software made the numbers."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ccl import __version__
from ccl.results.gather import Evaluation

REPORTED = ("lifelines", "scipy", "matplotlib", "pandas")
"""Packages that evaluation and report rest on, beside those that training recorded."""


def software(evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Return the version of each package; several, where folds were trained with different ones."""
    found: dict[str, list[str]] = {"ccl": [__version__], "python": [platform.python_version()]}
    for evaluation in evaluations:
        for run in evaluation.runs:
            for package, number in run["versions"].items():
                if number not in found.setdefault(package, []):
                    found[package].append(number)
    for package in REPORTED:
        found.setdefault(package, []).append(version(package))
    return {package: ", ".join(numbers) for package, numbers in found.items()}


def git_commit() -> str | None:
    """Return the commit of ccl's own source, marked where it has uncommitted changes; None if it is installed."""
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
