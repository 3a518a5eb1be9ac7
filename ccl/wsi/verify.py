"""Checking that all files of the slide stages exist and are complete, and setting damaged files aside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import h5py

from ccl.io.errors import InputError
from ccl.io.files import existing
from ccl.io.formats import ManifestRow, newest_rows
from ccl.wsi.tissue.outlines import stored_outlines

TRASH = ".trash"
"""Folder in the results that damaged files are moved to."""

LEFTOVER = re.compile(r"\.(?P<stem>.+)-[a-z0-9_]{8}\.(h5|geojson|jpg|tsv)")
"""Temporary names of files that are being written; a leftover one comes from a process that was killed."""


@dataclass(frozen=True)
class Problem:
    """A file that does not match its manifest."""

    path: Path
    found: str
    manifest: Path | None
    """The newest manifest that lists the file; None for a leftover of a killed process."""
    damaged: bool = True
    """Whether the file itself is known to be wrong and may be set aside."""


def verify_results(results: Path) -> list[Problem]:
    """Read completely every file that the manifests of ``tissue``, ``tile`` and ``embed`` list.

    Downloaded slides are not read; ``download`` checked them, and they may have been deleted since.
    After a change of ``shards``, several manifests of a stage may list a slide; the newest of them counts.

    Parameters
    ----------
    results : Path
        The config's ``results`` folder.

    Returns
    -------
    list of Problem
        Files that are missing, damaged (HDF5 checksums), or differ from their manifest in key or count, and leftovers
        of killed processes.

    Raises
    ------
    InputError
        There is no such folder, or it holds no manifests.
    """
    found = {path.parent for path in existing(results).glob("*/*/**/manifests/*.tsv")}
    folders = sorted(folder for folder in found if folder.relative_to(results).parts[1] != "download")
    if not folders:
        raise InputError(
            "nothing to verify",
            where=str(results),
            found="no manifests of slide stages",
            expected="the config's `results` folder, after `snakemake` made some of it",
            todo="correct the path",
        )
    problems: list[Problem] = []
    for folder in folders:
        rows = newest_rows(folder.glob("*.tsv"))
        problems += [problem for row, manifest in rows.values() for problem in _problems(row, manifest)]
        problems += _leftovers(folder, rows)
    return problems


def put_aside(results: Path, problems: Sequence[Problem]) -> tuple[list[Path], Path]:
    """Move damaged files and leftovers of killed processes to a folder in the trash; return their paths and the folder.

    A file outside `results` is never moved, even if a manifest lists it.
    """
    root = results.resolve()
    trash = root / TRASH / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    moved = []
    for problem in problems:
        path = problem.path.absolute()
        if not problem.damaged or not path.exists() or not path.resolve().is_relative_to(root):
            continue
        target = trash / path.resolve().relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        moved.append(problem.path)
    return moved, trash


def _leftovers(folder: Path, slides: Mapping[str, object]) -> Iterator[Problem]:
    """Yield the files in a stage's folder whose writing was interrupted; other hidden files are not ours."""
    for place, known in ((folder, {path.stem for path in folder.glob("*.tsv")}), (folder.parent, set(slides))):
        for path in sorted(place.glob(".*")):
            match = LEFTOVER.fullmatch(path.name)
            if match and match["stem"] in known and path.is_file():
                yield Problem(path, "left by a process that was killed", None)


def _problems(row: ManifestRow, manifest: Path) -> Iterator[Problem]:
    """Yield the problems of the files of a slide."""
    if row.status != "ok":
        return
    for path, found in _faults(row):
        yield Problem(path, found, manifest, damaged=found != "missing")


def _faults(row: ManifestRow) -> list[tuple[Path, str]]:
    """Return the faults of the files of a slide, each with its path."""
    path = Path(os.path.normpath(row.path))
    picture = path.with_suffix(".jpg")
    drawn = path.suffix == ".geojson" or path.parent.name == "tile"
    faults = [(picture, "missing")] if drawn and not picture.exists() else []
    if not path.exists():
        return [*faults, (path, "missing")]
    try:
        stored = stored_outlines(path) if path.suffix == ".geojson" else _read_whole(path)
    except (OSError, KeyError) as error:
        return [*faults, (path, f"damaged: {' '.join(str(error).split())}")]
    if stored is None:
        return [*faults, (path, "damaged")]
    if stored != (row.key, row.count):
        what = f"a count of {stored[1]} for {row.count}" if stored[1] != row.count else "another key"
        faults.append((path, f"not what the manifest says: {what}"))
    return faults


def _read_whole(path: Path) -> tuple[str, int]:
    """Read all values of an HDF5 file, which verifies checksums, and return its key and count."""
    with h5py.File(path, "r", locking=False) as file:
        for dataset in file.values():
            dataset[()]
        return str(file.attrs["ccl_key"]), len(file["coords"])
