"""Checking that the files of all stages exist and are whole, and moving damaged files aside."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from ccl.io.apart import Apart
from ccl.io.bounds import check_h5
from ccl.io.checksums import check
from ccl.io.errors import CclError, InputError, MachineError, machine_error
from ccl.io.files import UNFINISHED, existing, read_json, read_rows
from ccl.io.formats import ManifestRow, read_manifest, stored_count
from ccl.io.interop.importing import import_key
from ccl.io.progress import progress
from ccl.results import OTHER_FOLDERS
from ccl.train.store import read_tensors
from ccl.wsi.tissue.outlines import stored_outlines

TRASH = ".trash"
"""Folder in the results that damaged files are moved to."""

SLIDE_STAGES = ("tissue", "tile", "embed", "import")

STAGES = (
    *SLIDE_STAGES,
    "source",
    "cohort",
    "genomics",
    "clinical",
    "cluster",
    "vectors",
    "train",
    "evaluate",
    "added",
    "components",
    "predict",
)
"""Folders of a cohort whose files later stages read, or which are results themselves."""

UNCHECKED = "not checked"
"""Start of what is said about a file that may be whole."""

HELD = f"{UNCHECKED}: another process has it open for writing"

SLICE_BYTES = 1 << 26
"""Size of the slices in which arrays are read."""


@dataclass(frozen=True)
class Problem:
    """A file that is missing, damaged, or not what its manifest says."""

    path: Path
    found: str
    again: Path | None
    """What Snakemake has to make for the file to be made again; None for a file that no later stage needs."""
    damaged: bool = True
    """Whether the file itself is known to be wrong and may be moved aside."""


class Verified(NamedTuple):
    """What was found in a folder of results."""

    problems: list[Problem]
    checked: int
    """Files that agree with their checksums."""
    unchecked: int
    """Files that can be read, but have no checksum, as older versions of ccl wrote none."""


def verify_results(results: Path) -> Verified:
    """Compare every file of the stages with its checksum; read those without a checksum as far as they can be read.

    Parameters
    ----------
    results : Path
        The config's ``results`` folder.

    Raises
    ------
    InputError
        There is no such folder, or it holds no results.
    """
    cohorts = [path for path in sorted(existing(results).iterdir()) if path.name not in OTHER_FOLDERS]
    folders = [path for cohort in cohorts for stage in STAGES if (path := cohort / stage).is_dir()]
    files = {path: folder for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in READERS}
    files = {path: folder for path, folder in files.items() if path.is_file() and not _hidden(path, results)}
    if not files:
        raise InputError(
            "nothing to verify",
            where=str(results),
            found="no files of stages",
            expected="the config's `results` folder, after `snakemake` made some of it",
            todo="correct the path",
        )
    with Apart() as apart:
        found = {path: _fault(path, apart) for path in progress(files, "verify", unit="file")}
        listed = _newest(path for path in files if _is_manifest(path) and not isinstance(found[path], str))
        problems = [
            Problem(path, fault, _made_by(path, folder, listed), damaged=not fault.startswith(UNCHECKED))
            for path, folder in files.items()
            if isinstance(fault := found[path], str)
        ]
        for row, manifest in listed.values():
            problems += _row_problems(row, manifest, found, apart)
    problems += [
        Problem(path, "left by a process that was killed", None)
        for folder in folders
        for path in sorted(folder.rglob(f"{UNFINISHED}*"))
    ]
    sealed = [fault for fault in found.values() if isinstance(fault, bool)]
    return Verified(problems, sum(sealed), len(sealed) - sum(sealed))


def put_aside(results: Path, problems: Iterable[Problem]) -> tuple[list[Path], Path]:
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


def _hidden(path: Path, results: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(results).parts)


def _is_manifest(path: Path) -> bool:
    return path.suffix == ".tsv"


def _fault(path: Path, apart: Apart) -> str | bool:
    """Return what is wrong with a file, or else whether it has a checksum."""
    try:
        if check(path):
            return True
        apart.read(READERS[path.suffix], path)
    except CclError as error:
        if _is_held(path):
            return HELD
        words = UNCHECKED if isinstance(error, MachineError) else "damaged"
        return f"{words}: {error.problem}; {error.found}"
    except Exception as error:  # libraries raise many classes of errors for damaged files
        if failure := machine_error(error):
            return f"{UNCHECKED}: {failure.problem}; {failure.found}"
        return f"damaged: {' '.join(f'{type(error).__name__}: {error}'.split())}"
    return False


def _is_held(path: Path) -> bool:
    """Return whether another process has locked a file, as HDF5 does while it writes."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
    return False


def read_h5(path: Path) -> None:
    """Read all arrays of an HDF5 file, which also compares HDF5's own checksums."""

    def read(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if not item.shape:
                item[()]
                return
            rows = max(1, SLICE_BYTES * item.shape[0] // max(1, item.nbytes))
            for start in range(0, item.shape[0], rows):
                item[start : start + rows]

    with h5py.File(path, "r", locking=False) as file:
        check_h5(path, file)
        file.visititems(read)


READERS: Mapping[str, Callable[[Path], Any]] = {
    ".h5": read_h5,
    ".json": read_json,
    ".geojson": read_json,
    ".csv": read_rows,
    ".tsv": read_manifest,
    ".safetensors": read_tensors,
}
"""How a file without a checksum is read."""


def _newest(manifests: Iterable[Path]) -> dict[tuple[Path, str], tuple[ManifestRow, Path]]:
    """Return for each folder and slide the row of the newest manifest that lists it, with that manifest.

    After a change of ``shards``, several manifests may list a slide.
    """
    by_age = sorted(manifests, key=lambda path: (path.stat().st_mtime_ns, path.name))
    return {(path.parent, row.slide_id): (row, path) for path in by_age for row in read_manifest(path)}


def _made_by(path: Path, folder: Path, listed: Mapping[tuple[Path, str], tuple[ManifestRow, Path]]) -> Path | None:
    """Return the output of a rule that makes a file of the stage in `folder` again."""
    if folder.name in SLIDE_STAGES and not _is_manifest(path):
        _, manifest = listed.get((path.parent / "manifests", path.stem), (None, None))
        return manifest
    if folder.name == "cluster" and path.parent.parent != folder:  # a patient's own file
        return path.parent.with_suffix(".h5")
    return None if path.name.startswith("checkpoint.") else path


def _row_problems(row: ManifestRow, manifest: Path, found: Mapping[Path, Any], apart: Apart) -> Iterator[Problem]:
    """Yield what is wrong with the files that a manifest lists for a slide; damaged ones are known already."""
    path = Path(os.path.normpath(row.path))
    if row.status != "ok" or isinstance(found.get(path), str):
        return
    # A tiling has a folder in that of the stage.
    is_tiles = path.parent == Path(os.path.normpath(manifest.parent.parent)) and "tile" in path.parts[-3:-1]
    if (path.suffix == ".geojson" or is_tiles) and not path.with_suffix(".jpg").exists():
        yield Problem(path.with_suffix(".jpg"), "missing", manifest, damaged=False)
    if not path.is_file():
        yield Problem(path, "missing", manifest, damaged=False)
        return
    if manifest.parent.parent.name == "import":
        if import_key(path) != row.key:
            yield Problem(path, "changed since it was imported", manifest, damaged=False)
    elif path not in found and isinstance(fault := _fault(path, apart), str):
        yield Problem(path, fault, manifest, damaged=not fault.startswith(UNCHECKED))
    else:
        key, count = (stored_outlines(path) if path.suffix == ".geojson" else stored_count(path, "coords")) or ("", -1)
        if (key, count) != (row.key, row.count):
            what = f"a count of {count} for {row.count}" if count != row.count else "another key"
            yield Problem(path, f"not what the manifest says: {what}", manifest, damaged=False)
