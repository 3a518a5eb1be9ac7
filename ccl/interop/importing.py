"""Importing ready feature files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccl.cohort.sheets import read_slide_sheet
from ccl.errors import CclError, InputError, StageError
from ccl.files import digest, fingerprint
from ccl.formats import Features, ManifestRow, write_manifest
from ccl.interop import VERSION
from ccl.progress import progress
from ccl.shards import OnBadSlide


def import_features(manifest: Path, *, slides: Path, features: Path, on_bad_slide: OnBadSlide) -> None:
    """Check one feature file per slide (``{slide}.h5``, TRIDENT's layout) and list them in a manifest.

    The files stay where they are.

    Raises
    ------
    StageError
        With ``on_bad_slide="fail"``: files are missing, damaged, empty, hold values that are not finite, or
        differ in width; the message lists each.
    """
    rows: list[ManifestRow] = []
    width: int | None = None
    for slide in progress(read_slide_sheet(slides), "import", unit="slide"):
        path = features / f"{slide.slide_id}.h5"
        try:
            array = Features.read(path).features
            width = width or array.shape[1]
            _check(path, array, width)
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
            todo="mend the files, or set `on_bad_slide: exclude` to go on without them",
        )
    write_manifest(manifest, rows)


def _check(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.floating]], width: int) -> None:
    if array.shape[0] == 0 or array.shape[1] != width or not np.isfinite(array).all():
        raise InputError(
            "not usable as features",
            where=str(path),
            found=f"shape {array.shape}" + ("" if np.isfinite(array).all() else ", with values that are not finite"),
            expected=f"at least one patch, {width} finite values each, as in the other slides",
            todo="make the file again",
        )
