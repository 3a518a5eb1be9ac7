"""Reading the user's table of patients."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ccl.config.sections import CohortSettings
from ccl.io.errors import InputError
from ccl.io.files import read_table, row_of
from ccl.io.sheets import check_ids


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
    check_ids(path, ((row_of(index), value) for index, value in table["patient_id"].items()), "patient")
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
