"""Importing ready feature files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ccl.io.errors import CclError, InputError, StageError
from ccl.io.files import digest, existing, fingerprint
from ccl.io.formats import Features, ManifestRow, write_manifest
from ccl.io.interop import VERSION
from ccl.io.interop.naming import candidates, find_features
from ccl.io.progress import progress
from ccl.io.repeats import counted_once
from ccl.io.sheets import OnBadSlide, Slide, read_slide_sheet


def import_features(manifest: Path, *, slides: Path, features: Path, on_bad_slide: OnBadSlide) -> None:
    """Check one feature file per slide and list them in a manifest.

    The layouts of TRIDENT, CLAM (HDF5 or ``.pt``) and STAMP, and ``.npy``, are recognised file by file; the names that
    a file may have are those of :func:`ccl.io.interop.naming.candidates`.  The files stay where they are.

    Raises
    ------
    InputError
        There is no such folder, or the same features belong to several patients.
    StageError
        With ``on_bad_slide="fail"``: files are missing, damaged, empty, hold values that are not finite, or
        differ in width; the message lists each.
    """
    existing(features)
    rows: list[ManifestRow] = []
    owners: dict[Path, str] = {}
    contents: dict[str, str] = {}
    width: int | None = None
    sheet = read_slide_sheet(slides)
    for slide in progress(sheet, "import", unit="slide"):
        path = candidates(features, slide)[0]
        try:
            path = _claim(features, slide, owners)
            array = _read(path)
            _check(path, array, width or array.shape[1])
            width = array.shape[1]
            contents[slide.slide_id] = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
            rows.append(
                ManifestRow(slide.slide_id, "ok", path, digest("import", VERSION, fingerprint(path)), len(array), "")
            )
        except CclError as error:
            rows.append(ManifestRow(slide.slide_id, "excluded", path, "", 0, f"import: {error.line}"))
    bad = [row for row in rows if row.status == "excluded"]
    if bad and on_bad_slide == "fail":
        raise StageError(
            f"import: {len(bad)} of {len(rows)} slides have no usable features",
            where=str(features),
            found="".join(f"\n    {row.slide_id}: {row.message}" for row in bad),
            todo="fix the files, or set `on_bad_slide: exclude` to go on without them",
        )
    write_manifest(manifest, counted_once(sheet, rows, contents))


def _claim(folder: Path, slide: Slide, owners: dict[Path, str]) -> Path:
    """Return the slide's file and enter it in `owners`; raise InputError if it belongs to another slide."""
    path = find_features(folder, slide)
    if path is None:
        names = dict.fromkeys(candidate.stem for candidate in candidates(folder, slide))
        raise InputError(
            "no file with the slide's features",
            where=str(folder),
            expected=f"{' or '.join(names)}, with .h5, .hdf5, .pt or .npy, there or in h5_files/ or pt_files/",
            todo="correct the folder, the `slide_id`, or the sheet's `path`, whose stem is tried too",
        )
    if (owner := owners.setdefault(path, slide.slide_id)) != slide.slide_id:
        raise InputError(
            "the file of another slide",
            where=str(path),
            found=f"it is already that of {owner}",
            expected="a file for each slide",
            todo="correct the sheet's `path`, or name the files by `slide_id`",
        )
    return path


def _read(path: Path) -> NDArray[np.floating[Any]]:
    """Return the features of the user's own file, which ccl advises nobody to delete."""
    try:
        return Features.read(path).features
    except InputError as error:
        raise InputError(
            error.problem.replace("embed", "features"),
            where=error.where,
            found=error.found,
            expected="features (N, D) in a file of TRIDENT, CLAM or STAMP (docs/interop.md)",
            todo="correct the folder, or make the file again with the tool that wrote it",
        ) from error


def _check(path: Path, array: NDArray[np.floating[Any]], width: int) -> None:
    if array.size == 0 or array.shape[1] != width or not np.isfinite(array).all():
        raise InputError(
            "not usable as features",
            where=str(path),
            found=f"shape {array.shape}" + ("" if np.isfinite(array).all() else ", with values that are not finite"),
            expected=f"at least one patch, {width or 'some'} finite values each, as in the other slides",
            todo="make the file again",
        )
