"""Reading the user's table of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.config.cohort_sections import CohortSettings
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import read_table, row_of
from ccl.io.sheets import check_ids

DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True)
class FollowUp:
    """The patients of a cohort with their follow-up, and those who are left out."""

    table: pd.DataFrame
    """``patient_id``, ``months`` (float, >= 0), ``censorship`` (0 or 1), sorted by patient."""
    left_out: Mapping[str, Sequence[str]]
    """The patients who are left out, by reason."""
    endpoint: Mapping[str, Any] | None = None
    """``endpoint`` of ``summary.json``; None if the table has months and censorship."""

    def take(self, rows: Any, **columns: Any) -> FollowUp:
        """Return the follow-up of some rows of the table, with more columns."""
        return replace(self, table=self.table.loc[rows].assign(**columns).reset_index(drop=True))

    def without(self, patients: Mapping[str, Sequence[str]]) -> FollowUp:
        """Return the follow-up without more patients, who are given by reason."""
        gone = {patient for names in patients.values() for patient in names}
        left_out = {**self.left_out, **{reason: names for reason, names in patients.items() if names}}
        return replace(self.take(~self.table["patient_id"].isin(gone)), left_out=left_out)


def start_later(follow_up: FollowUp, months: float) -> FollowUp:
    """Return the follow-up from a landmark on: who died or was censored up to then is left out."""
    table = follow_up.table
    early, dead = table["months"] <= months, table["censorship"] == 0
    later = follow_up.without(
        {
            f"event up to month {months:g}": list(table["patient_id"][early & dead]),
            f"censored up to month {months:g}": list(table["patient_id"][early & ~dead]),
        }
    )
    if later.table.empty:
        raise ConfigError(
            "no patient is followed beyond the landmark",
            where="config, cohorts: landmark_months",
            found=f"{months:g} months; the longest follow-up is {table['months'].max():g}",
            expected="a time that patients outlive",
            todo="lower landmark_months",
        )
    return replace(later, table=later.table.assign(months=later.table["months"] - months))


def in_months(times: pd.Series[float], unit: str) -> pd.Series[float]:
    """Return times in months."""
    return times if unit == "months" else times / DAYS_PER_MONTH


def list_patients(path: Path, column: str) -> list[str]:
    """Return the patients of a table with a row per patient or slide, each once and sorted."""
    names = read_table(path, required=(column,), text=(column,))[column]
    check_ids(path, ((row_of(index), value) for index, value in names.items()), "patient")
    return sorted(set(names))


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
    table["months"] = in_months(table["months"], settings.time_unit)
    return one_row_each(path, table).sort_values("patient_id", ignore_index=True)


def one_row_each(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return each patient's row once; raise InputError if the rows of a patient disagree.

    Parameters
    ----------
    path : Path
        The table's file, for the message.
    table : DataFrame
        ``patient_id`` and the follow-up, with the rows of the file as index.
    """
    unique = table.drop_duplicates()
    repeated = unique["patient_id"].duplicated(keep=False)
    if repeated.any():
        patient = unique.loc[repeated, "patient_id"].iloc[0]
        rows = unique[unique["patient_id"] == patient].drop(columns="patient_id")
        differing = rows.loc[:, rows.nunique(dropna=False) > 1]
        raise InputError(
            "the rows of a patient disagree on the follow-up",
            where=f"{path}, rows {', '.join(str(row_of(i)) for i in rows.index)} (patient {patient})",
            found="; ".join(", ".join(f"{name} {row[name]}" for name in differing) for _, row in differing.iterrows()),
            expected="the same follow-up in each row of a patient",
            todo="correct the rows",
        )
    return unique


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
