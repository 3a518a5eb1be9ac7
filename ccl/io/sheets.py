"""The sample sheet of slides, and the shard of each slide."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ccl.io.errors import InputError
from ccl.io.files import read_rows


@dataclass(frozen=True)
class Slide:
    """One row of a slide sheet: a slide, its patient, its file, and its scale if the user gave one."""

    slide_id: str
    patient_id: str
    path: Path
    mpp: float | None
    """Micrometres per pixel at level 0 from the sample sheet; None takes it from the file."""
    annotation: Path | None = None
    """File of the user's own outlines of the tissue, GeoJSON or a mask image, if there is one."""


MIN_MPP, MAX_MPP = 0.05, 20.0
"""Scales at level 0 outside this range (um/px) count as mistakes, in sheets and in slides."""

SLIDE_COLUMNS = ("slide_id", "patient_id", "path", "mpp", "annotation")

OnBadSlide = Literal["fail", "exclude"]
"""What a stage does with slides that it cannot use: fail after all others are done, or go on without them."""

Frozen = Literal["drop", "fallback", "keep"]
"""What happens to frozen sections: ``drop`` leaves all of them out, and patients who have no other slides with them;
``fallback`` leaves them out for patients who have other slides; ``keep`` keeps all."""

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""A slide's identifier becomes a file name on every system."""


def check_ids(path: Path, ids: Iterable[tuple[int, object]], kind: str) -> None:
    """Raise InputError for identifiers of `kind` (``slide``, ``patient``) that cannot be file names.

    Parameters
    ----------
    ids : iterable of (int, object)
        Each with its row of the file.

    Raises
    ------
    InputError
        One is empty or holds other characters.
    """
    for row, value in ids:
        if not isinstance(value, str) or not SAFE_ID.fullmatch(value):
            raise InputError(
                f"not a usable {kind} identifier",
                where=f"{path}, row {row}",
                found=repr(value) if isinstance(value, str) else "nothing, or a word for a missing value such as NA",
                expected="a letter or digit, then letters, digits, dots, dashes and underscores (200 at most)",
                todo=f"rename the {kind}; identifiers become file names",
            )


def read_slide_sheet(path: Path) -> list[Slide]:
    """Read a sample sheet of slides, sorted by slide; ``path`` and ``annotation`` are relative to the sheet's folder.

    Raises
    ------
    InputError
        A column is unknown, an identifier cannot be a file name or appears twice, or an ``mpp`` is outside 0.05 to
        20 um/px.  The stage that opens the slides checks whether they exist.
    """
    header, lines = read_rows(path, required=SLIDE_COLUMNS[:2])
    unknown = [name for name in header if name not in SLIDE_COLUMNS]
    if unknown:
        raise InputError(
            "unknown column in the slide sheet",
            where=f"{path}, header",
            found=", ".join(unknown),
            expected=", ".join(SLIDE_COLUMNS),
            todo="rename or remove the column",
        )
    rows = [(line.number, line.named(header)) for line in lines]
    for kind in ("slide", "patient"):
        check_ids(path, ((number, row.get(f"{kind}_id")) for number, row in rows), kind)
    _check_once(path, rows)
    folder = path.parent
    slides = [
        Slide(
            row["slide_id"],
            row["patient_id"],
            folder / row["path"] if "path" in row else Path(),
            _mpp(path, number, row),
            folder / row["annotation"] if "annotation" in row else None,
        )
        for number, row in rows
    ]
    return sorted(slides, key=lambda slide: slide.slide_id)


def _check_once(path: Path, rows: Sequence[tuple[int, Mapping[str, str]]]) -> None:
    """Raise InputError if a slide is listed twice; many systems have one file for two names that differ in case."""
    seen: dict[str, str] = {}
    for number, row in rows:
        name = row["slide_id"]
        if name.casefold() in seen:
            other = seen[name.casefold()]
            raise InputError(
                "a slide is listed twice",
                where=f"{path}, row {number}",
                found=name if name == other else f"{name}, which differs from {other} only in case",
                expected="each slide_id once, whatever its case, as it becomes a file name",
                todo="remove the row, or give the second slide a different name",
            )
        seen[name.casefold()] = name


def _mpp(path: Path, number: int, row: Mapping[str, str]) -> float | None:
    """Return the scale of a row, or None if it has none."""
    text = row.get("mpp")
    if text is None:
        return None
    try:
        mpp = float(text)
    except ValueError:
        mpp = math.nan
    if not MIN_MPP <= mpp <= MAX_MPP:
        raise InputError(
            "not a plausible scale",
            where=f"{path}, row {number} (slide {row['slide_id']}), column mpp",
            found=text,
            expected=f"micrometres per pixel at level 0, {MIN_MPP:g} to {MAX_MPP:g}, or nothing",
            todo="correct the value; 0.25 is typical of 40x, 0.5 of 20x",
        )
    return mpp


def shard_of(slide_id: str, shards: int) -> int:
    """Return the shard, 0 to ``shards - 1``, that a slide belongs to."""
    return zlib.crc32(slide_id.encode()) % shards


def shard_slides(slides: Iterable[Slide], shard: int, shards: int) -> list[Slide]:
    """Return the slides of one shard, in order."""
    return [slide for slide in slides if shard_of(slide.slide_id, shards) == shard]
