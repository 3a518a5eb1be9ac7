"""Reading the user's tables of patients and slides."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from ccl.cohort import CohortSettings
from ccl.errors import InputError
from ccl.files import read_table, row_of
from ccl.formats import MAX_MPP, MIN_MPP, SLIDE_COLUMNS, Slide

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""A slide's identifier becomes a file name on every system."""


def read_patients(path: Path, settings: CohortSettings) -> pd.DataFrame:
    """Read follow-up, one row a patient.

    A table with a row per slide is welcome: repeated rows of a patient must agree on the follow-up.

    Returns
    -------
    DataFrame
        ``patient_id``, ``months`` (float, >= 0), ``censorship`` (0 or 1), sorted by patient.

    Raises
    ------
    InputError
        A column is missing, an identifier is empty, follow-up is missing, negative or not a number,
        censorship is not 0 or 1, or two rows of a patient disagree.
    """
    names = (settings.patient_column, settings.months_column, settings.censorship_column)
    raw = read_table(path, required=names, text=names[:1])
    if raw.empty:
        raise InputError("no patients", where=str(path), expected="at least one row", todo="fill the table")
    table = raw[list(names)].set_axis(["patient_id", "months", "censorship"], axis=1)
    _check_ids(path, table["patient_id"], "patient")
    table["months"] = _follow_up(path, table, settings)
    table["censorship"] = _censorship(path, table, settings)
    unique = table.drop_duplicates()
    repeated = unique["patient_id"].duplicated(keep=False)
    if repeated.any():
        patient = unique.loc[repeated, "patient_id"].iloc[0]
        rows = unique[unique["patient_id"] == patient]
        raise InputError(
            "the rows of a patient disagree on the follow-up",
            where=f"{path}, rows {', '.join(str(row_of(i)) for i in rows.index)} (patient {patient})",
            found="; ".join(f"{r.months:g} months, censorship {r.censorship}" for r in rows.itertuples()),
            expected="the same follow-up in each row of a patient",
            todo="correct the rows",
        )
    return unique.sort_values("patient_id", ignore_index=True)


def _follow_up(path: Path, table: pd.DataFrame, settings: CohortSettings) -> pd.Series[float]:
    months = pd.to_numeric(table["months"], errors="coerce")
    good = months.ge(0) & months.lt(float("inf"))
    if not good.all():
        index = table.index[~good][0]
        found = table.loc[index, "months"]
        raise InputError(
            "a patient has no follow-up" if pd.isna(found) else "follow-up is not a time",
            where=f"{path}, row {row_of(index)} (patient {table.loc[index, 'patient_id']}), "
            f"column {settings.months_column}",
            found="nothing" if pd.isna(found) else str(found),
            expected="months since diagnosis, 0 or more",
            todo="fill in the follow-up, or take the patient out of the table",
        )
    return months.astype(float)


def _censorship(path: Path, table: pd.DataFrame, settings: CohortSettings) -> pd.Series[int]:
    values = pd.to_numeric(table["censorship"], errors="coerce")
    good = values.isin([0, 1])
    if not good.all():
        index = table.index[~good][0]
        raise InputError(
            "censorship must be 0 or 1",
            where=f"{path}, row {row_of(index)} (patient {table.loc[index, 'patient_id']}), "
            f"column {settings.censorship_column}",
            found=str(table.loc[index, "censorship"]),
            expected="0 (death observed) or 1 (censored)",
            todo="correct the value, or take the patient out of the table",
        )
    return values.astype(int)


def _check_ids(path: Path, ids: pd.Series[str], kind: str) -> None:
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
    _check_ids(path, table["slide_id"], "slide")
    _check_ids(path, table["patient_id"], "patient")
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
