"""The sample sheet of slides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ccl.io.errors import InputError
from ccl.io.files import read_table, row_of


@dataclass(frozen=True)
class Slide:
    """One row of a slide sheet: a slide, its patient, its file, and its scale where the user gave one."""

    slide_id: str
    patient_id: str
    path: Path
    mpp: float | None
    """Micrometres per pixel at level 0 from the sample sheet; None leaves it to the file."""
    annotation: Path | None = None
    """The user's own outlines of its tissue, GeoJSON or a mask image, where there are any."""


MIN_MPP, MAX_MPP = 0.05, 20.0
"""Scales at level 0 outside this range (um/px) are taken for mistakes, in a sheet as in a slide."""

SLIDE_COLUMNS = ("slide_id", "patient_id", "path", "mpp", "annotation")

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""A slide's identifier becomes a file name on every system."""


def check_ids(path: Path, ids: pd.Series[str], kind: str) -> None:
    """Refuse identifiers of `kind` (``slide``, ``patient``) that cannot be file names.

    Raises
    ------
    InputError
        One is empty or holds other characters.
    """
    for index, value in ids.items():
        if not isinstance(value, str) or not SAFE_ID.fullmatch(value):
            raise InputError(
                f"not a usable {kind} identifier",
                where=f"{path}, row {row_of(index)}",
                found=repr(value),
                expected="a letter or digit, then letters, digits, dots, dashes and underscores (200 at most)",
                todo=f"rename the {kind}; identifiers become file names",
            )


def read_slide_sheet(path: Path) -> list[Slide]:
    """Read a sample sheet of slides, sorted by slide; ``path`` and ``annotation`` count from the sheet's own folder.

    Raises
    ------
    InputError
        An unknown column, an identifier that cannot be a file name or is there twice, or an ``mpp`` outside
        0.05 to 20 um/px.  Whether the slides exist is for the stage that opens them to say, slide by slide.
    """
    table = read_table(path, required=SLIDE_COLUMNS[:2], text=(*SLIDE_COLUMNS[:3], "annotation"))
    unknown = [name for name in table.columns if name not in SLIDE_COLUMNS]
    if unknown:
        raise InputError(
            "unknown column in the slide sheet",
            where=f"{path}, header",
            found=", ".join(map(str, unknown)),
            expected=", ".join(SLIDE_COLUMNS),
            todo="rename or remove the column",
        )
    check_ids(path, table["slide_id"], "slide")
    check_ids(path, table["patient_id"], "patient")
    repeated = table["slide_id"].duplicated()
    if repeated.any():
        index = table.index[repeated][0]
        raise InputError(
            "a slide is listed twice",
            where=f"{path}, row {row_of(index)}",
            found=str(table.loc[index, "slide_id"]),
            expected="each slide_id once",
            todo="remove the row, or give the second slide a name of its own",
        )
    table = table.reindex(columns=list(SLIDE_COLUMNS))
    table["mpp"] = _mpp(path, table)
    return [
        Slide(
            row["slide_id"],
            row["patient_id"],
            path.parent / row["path"] if isinstance(row["path"], str) else Path(),
            None if pd.isna(row["mpp"]) else float(row["mpp"]),
            path.parent / row["annotation"] if isinstance(row["annotation"], str) else None,
        )
        for row in table.sort_values("slide_id").to_dict("records")
    ]


def _mpp(path: Path, table: pd.DataFrame) -> pd.Series[float]:
    mpp = pd.to_numeric(table["mpp"], errors="coerce")
    bad = (mpp.isna() & table["mpp"].notna()) | (mpp.notna() & ~mpp.between(MIN_MPP, MAX_MPP))
    if bad.any():
        index = table.index[bad][0]
        raise InputError(
            "not a plausible scale",
            where=f"{path}, row {row_of(index)} (slide {table.loc[index, 'slide_id']}), column mpp",
            found=str(table.loc[index, "mpp"]),
            expected=f"micrometres per pixel at level 0, {MIN_MPP:g} to {MAX_MPP:g}, or nothing",
            todo="correct the value; 0.25 is typical of 40x, 0.5 of 20x",
        )
    return mpp
