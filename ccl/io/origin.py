"""Where the files of a stage come from: a record beside them, from which :mod:`ccl.results.provenance` finds the chain.

The record of a job lies in ``{folder}/.origin/{name}.json``, where ``name`` is its first output.  It is a file of its
own and holds no time, so the results themselves are the same bits on every machine and in every state of the code.
Paths are relative to the folder, so results can be moved.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from ccl import __version__
from ccl.io.checksums import content_digest
from ccl.io.files import write_json

FOLDER = ".origin"
"""Folder of the records, beside the files."""

DISTRIBUTION = "ccl-survival"
"""Name under which the package is installed."""

SECONDS = 30
"""Time that git may take; it is slow in a large folder on a network disk."""

Files = Path | Iterable[Path] | None


def record(
    stage: str,
    version: int,
    *,
    outputs: Sequence[Path],
    inputs: Mapping[str, Files],
    settings: Mapping[str, Any] | None = None,
    slides: Mapping[Path, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Write down what the files of a job were made from.

    Parameters
    ----------
    stage, version
        Name and ``VERSION`` of the stage.
    outputs : sequence of Path
        What the job wrote; all lie in the folder of the record, or below it.
    inputs : mapping
        What it read, by use.
    settings : mapping, optional
        Settings of the stage, and its seeds.
    slides : mapping, optional
        Slides that it read, with :func:`ccl.wsi.reader.opening.slide_fingerprint`, as they are large.
    folder : Path, optional
        Folder that the record belongs to, if it is not that of the first output.
    """
    folder = folder or outputs[0].parent
    files = [(use, path) for use, paths in inputs.items() for path in _paths(paths)]
    entry = {
        "stage": stage,
        "version": version,
        "settings": dict(settings or {}),
        "outputs": [{"file": _relative(path, folder), "sha256": content_digest(path)} for path in outputs],
        "inputs": [
            *({"use": use, "file": _relative(path, folder), "sha256": content_digest(path)} for use, path in files),
            *(
                {"use": "slide", "file": _relative(path, folder), "slide": found}
                for path, found in (slides or {}).items()
            ),
        ],
        "code": {"ccl": __version__, "git": git_state(Path(__file__).parents[1], "__init__.py")},
        "folder": {"git": git_state(Path.cwd())},
        "packages": packages(),
        "machine": machine(),
    }
    write_json(folder / FOLDER / f"{outputs[0].name}.json", entry)


def _paths(paths: Files) -> list[Path]:
    return [] if paths is None else [paths] if isinstance(paths, Path) else list(paths)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


@lru_cache
def packages() -> dict[str, str]:
    """Return the versions of Python and of the packages that ccl needs."""
    try:
        needed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # ccl runs from its source without being installed
        needed = []
    names = [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in needed if "extra ==" not in line]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


@lru_cache
def machine() -> dict[str, Any]:
    """Return what numbers may depend on: system, architecture, model of the processor and number of cores."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    """Return the model of the processor, which Python itself does not know on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def git_state(folder: Path, tracked: str = ".") -> dict[str, Any] | None:
    """Return ``commit`` of a folder, and whether tracked files were ``changed`` since; None if git does not know it.

    Parameters
    ----------
    folder : Path
        The folder.
    tracked : str
        A file in it that git must know.  An installed copy of ccl may lie inside the user's repository, whose commit
        says nothing about ccl.
    """
    try:
        _git(folder, "ls-files", "--error-unmatch", tracked)
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _git(folder: Path, *words: str) -> str:
    # No hooks and no monitor of the user's repository run.
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "--no-optional-locks", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout.strip()
