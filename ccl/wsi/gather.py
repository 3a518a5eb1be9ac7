"""Stage ``gather``: the features of a cohort in one manifest, and the bad slides of all shards in one list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccl.io.errors import StageError
from ccl.io.formats import read_manifest, write_manifest
from ccl.io.origin import record
from ccl.io.repeats import counted_once
from ccl.io.sheets import OnBadSlide, read_slide_sheet

VERSION = 1
"""Bumped when the stage's output changes for the same input."""


def gather_features(manifest: Path, *, slides: Path, manifests: Sequence[Path], on_bad_slide: OnBadSlide) -> None:
    """Write one manifest of the slides of all shards.

    Slides with the same content under one patient are counted once.

    Parameters
    ----------
    manifest : Path
        Manifest to write.
    slides : Path
        Sample sheet.
    manifests : sequence of Path
        Manifests of all shards of ``embed``.
    on_bad_slide : {"fail", "exclude"}
        Whether a bad slide is an error.

    Raises
    ------
    InputError
        The same content belongs to several patients.
    StageError
        With ``on_bad_slide="fail"``: there are bad slides.  The message lists all of them.
    """
    rows = sorted((row for path in manifests for row in read_manifest(path)), key=lambda row: row.slide_id)
    bad = [row for row in rows if row.status != "ok"]
    if bad and on_bad_slide == "fail":
        raise StageError(
            f"{len(bad)} of {len(rows)} slides cannot be used, all others are done",
            found="".join(f"\n    {row.slide_id}: {row.message}" for row in bad),
            todo="mend these slides or remove them from the sample sheet, and run again (only they are repeated); if "
            "the cause lay elsewhere, such as a full memory, add the stage before the reason, such as "
            f"`--forcerun {bad[0].message.partition(':')[0]}`; or set `on_bad_slide: exclude` to go on without them",
        )
    # The key of features covers the slide's content, its scale and its annotation.  A copy with another annotation is
    # another slide, as in a tissue microarray with cores of several patients.
    contents = {row.slide_id: row.key for row in rows}
    write_manifest(manifest, counted_once(read_slide_sheet(slides), rows, contents))
    record("gather", VERSION, outputs=[manifest], inputs={"manifest": manifests, "sheet": slides})
