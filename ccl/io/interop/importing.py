"""Importing ready feature files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccl.io.apart import Apart
from ccl.io.errors import CclError, InputError, StageError
from ccl.io.files import digest, existing, fingerprint
from ccl.io.foreign import is_array
from ccl.io.formats import Features, ManifestRow, write_manifest
from ccl.io.interop import VERSION
from ccl.io.interop.naming import candidates, find_features
from ccl.io.origin import record
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
    with Apart() as apart:
        for slide in progress(sheet, "import", unit="slide"):
            path = candidates(features, slide)[0]
            try:
                path = _claim(features, slide, owners)
                measured = _measured(path, apart)
                _check(path, measured, width or measured.width)
                width, contents[slide.slide_id] = measured.width, measured.content
                rows.append(ManifestRow(slide.slide_id, "ok", path, import_key(path), measured.patches, ""))
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
    record("import", VERSION, outputs=[manifest], inputs={"sheet": slides})


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


class Measured(NamedTuple):
    """The facts about a file of features that an import needs."""

    patches: int
    """Number N."""
    width: int
    """Values D of a patch."""
    finite: bool
    """Whether all values are finite."""
    content: str
    """Digest of the values."""


def measure(path: Path) -> Measured:
    """Read a file of features and return the facts about it."""
    features = Features.read(path).features
    content = hashlib.sha256(np.ascontiguousarray(features).data).hexdigest()
    return Measured(len(features), features.shape[1], bool(np.isfinite(features).all()), content)


def import_key(path: Path) -> str:
    """Return the key of an imported file in the manifest; it depends on the file's content."""
    return digest("import", VERSION, fingerprint(path))


def _measured(path: Path, apart: Apart) -> Measured:
    """Return the facts about the user's own file, which ccl advises nobody to delete."""
    try:
        return measure(path) if is_array(path) else apart.read(measure, path)
    except InputError as error:
        raise InputError(
            error.problem.replace("embed", "features"),
            where=error.where,
            found=error.found,
            expected="features (N, D) in a file of TRIDENT, CLAM or STAMP (docs/interop.md)",
            todo="correct the folder, or make the file again with the tool that wrote it; name vectors of slides in the"
            " cohort's `vectors`",
        ) from error


def _check(path: Path, measured: Measured, width: int) -> None:
    if not measured.patches or measured.width != width or not width or not measured.finite:
        raise InputError(
            "not usable as features",
            where=str(path),
            found=f"shape {measured[:2]}" + ("" if measured.finite else ", with values that are not finite"),
            expected=f"at least one patch, {width or 'some'} finite values each, as in the other slides",
            todo="make the file again",
        )
