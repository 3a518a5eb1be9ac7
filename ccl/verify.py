"""Checking that what the slide stages made is still there and whole, and clearing away what is not."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import h5py

from ccl.errors import InputError
from ccl.files import existing
from ccl.formats import ManifestRow, read_manifest
from ccl.tissue.outlines import stored_outlines

LEFTOVER = re.compile(r"\..+-[a-z0-9_]{8}(\.[a-z0-9]+)?")
"""Names that files have while they are written; one that stayed is of a process that was killed."""


@dataclass(frozen=True)
class Problem:
    """A file that is not what its manifest says."""

    path: Path
    found: str
    manifest: Path | None
    """The manifest that lists it; None for what a killed process left."""


def verify_results(results: Path) -> list[Problem]:
    """Read every file that the manifests of ``tissue``, ``tile`` and ``embed`` list, whole.

    Parameters
    ----------
    results : Path
        The config's ``results`` folder.

    Returns
    -------
    list of Problem
        Files that are missing, damaged (HDF5 checksums), or of another key or count than their manifest says, and what
        killed processes left behind.

    Raises
    ------
    InputError
        There is no such folder, or it holds no manifests.
    """
    manifests = sorted(existing(results).glob("*/*/**/manifests/*.tsv"))
    if not manifests:
        raise InputError(
            "nothing to verify",
            where=str(results),
            found="no manifests of slide stages",
            expected="the config's `results` folder, after `snakemake` made some of it",
            todo="correct the path",
        )
    problems = [
        Problem(path, found, manifest)
        for manifest in manifests
        for row in read_manifest(manifest)
        if row.status == "ok"
        for path, found in _faults(row)
    ]
    leftovers = sorted(path for path in results.rglob(".*") if path.is_file() and LEFTOVER.fullmatch(path.name))
    return problems + [Problem(path, "left by a process that was killed", None) for path in leftovers]


def _faults(row: ManifestRow) -> list[tuple[Path, str]]:
    """Return what is wrong with the files of a slide, each with its path."""
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
    """Return key and count of an HDF5 file all of whose values can be read, checksums included."""
    with h5py.File(path, "r", locking=False) as file:
        for dataset in file.values():
            dataset[()]
        return str(file.attrs["ccl_key"]), len(file["coords"])
