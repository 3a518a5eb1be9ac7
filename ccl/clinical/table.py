"""Reading the user's clinical table: every value becomes a number, a level or a missing value, as the config says."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ccl.config import cohort_sections
from ccl.io.covariates import Covariate
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import MISSING, read_rows
from ccl.io.sheets import check_ids
from ccl.pages.numbers import plural

AGE = re.compile(r"(?<![A-Za-z])(age|AGE)(?![a-z])|Age(?![a-z])")
"""The word age in a name such as ``age_at_diagnosis`` or ``patientAge``; not in ``stage``."""

OLDEST = 130
"""Years; a larger age is a year or a number of days."""


@dataclass(frozen=True)
class _Reading:
    """How one covariate is read."""

    covariate: Covariate
    columns: tuple[str, ...]
    level_of: Mapping[str, str]
    """Value of the table to name of its level."""
    missing: frozenset[str]

    def value(self, cells: Mapping[str, str]) -> str | None:
        """Return the first value of a row that is not missing."""
        values = (cells[column] for column in self.columns)
        return next((value for value in values if value in self.level_of or value not in self.missing), None)

    @property
    def is_age(self) -> bool:
        """Whether the numbers are ages in years."""
        return any(AGE.search(name) for name in (self.covariate.name, *self.columns))


class _Row(NamedTuple):
    place: str
    """File and line, for messages."""
    patient: str
    cells: Mapping[str, str]


def covariates_of(clinical: cohort_sections.Clinical) -> tuple[Covariate, ...]:
    """Return the covariates that a config declares."""
    return tuple(reading.covariate for reading in _readings(clinical))


def _readings(clinical: cohort_sections.Clinical) -> list[_Reading]:
    return [
        _Reading(
            Covariate(name, entry.kind, tuple(level[0] for level in entry.levels), entry.indicator, entry.unit),
            entry.columns or (name,),
            {value: level[0] for level in entry.levels for value in level},
            MISSING.union(clinical.missing, entry.missing),
        )
        for name, entry in clinical.covariates.items()
    ]


def read_clinical(
    path: Path, clinical: cohort_sections.Clinical, *, patient_column: str, patients: Collection[str] | None = None
) -> pd.DataFrame:
    """Read the covariates of the patients of a table.

    The table may have a row per slide or sample: the rows of a patient must agree, and a missing value is filled from
    the patient's other rows.

    Parameters
    ----------
    path : Path
        The table.
    clinical : section
        Which covariates are read, and what their values mean.
    patient_column : str
        The column that names the patient.
    patients : collection of str, optional
        The patients of the cohort; rows of others are ignored.  By default all are read.

    Returns
    -------
    DataFrame
        Indexed by patient, sorted, a column for each covariate: float, or the name of a level; NaN where missing.

    Raises
    ------
    InputError
        A column is missing, an identifier is empty, no patient of the cohort is in the table, two rows of a patient
        disagree, or a value is not a number.
    ConfigError
        A value is not among the levels of its covariate; all such values are listed.
    """
    readings = _readings(clinical)
    rows = _rows(path, readings, patient_column, patients)
    unnamed = _unnamed(readings, rows)
    if unnamed:
        raise ConfigError(
            "the clinical table has values that the config does not name",
            where=f"{path}; config, clinical: covariates",
            found="; ".join(f"{name}: {listed(values)}" for name, values in unnamed.items()),
            expected="each value among the covariate's `levels`, or among its `missing`",
            todo="add the values to the covariate's `levels` or `missing`",
        )
    known: dict[str, dict[str, float | str]] = {row.patient: {} for row in rows}
    for reading in readings:
        for row in rows:
            _add(known[row.patient], reading, row)
    names = [reading.covariate.name for reading in readings]
    table = pd.DataFrame(list(known.values()), index=list(known), columns=names)
    numeric = [reading.covariate.name for reading in readings if reading.covariate.kind == "numeric"]
    return table.astype(dict.fromkeys(numeric, float)).sort_index()


def unnamed_values(
    path: Path, clinical: cohort_sections.Clinical, *, patient_column: str, patients: Collection[str] | None = None
) -> dict[str, Counter[str]]:
    """Return the values that the config does not name, with their counts, by covariate.

    Takes the same as :func:`read_clinical`.
    """
    readings = _readings(clinical)
    return _unnamed(readings, _rows(path, readings, patient_column, patients))


def listed(values: Counter[str]) -> str:
    """Return values with their counts as text, the most frequent first."""
    return ", ".join(f"{value} ({plural(count, 'row')})" for value, count in values.most_common())


def _rows(
    path: Path, readings: Sequence[_Reading], patient_column: str, patients: Collection[str] | None
) -> list[_Row]:
    """Read the rows of the patients with all words, because a level may be a word such as ``None``."""
    columns = dict.fromkeys(column for reading in readings for column in reading.columns)
    header, lines = read_rows(path, required=(patient_column, *columns))
    check_ids(path, ((line.number, line.named(header).get(patient_column)) for line in lines), "patient")
    place = header.index(patient_column)
    places = {column: header.index(column) for column in columns}
    rows = []
    for number, cells in lines:
        patient = cells[place].strip()
        if patients is None or patient in patients:
            texts = {column: cells[at].strip() if at < len(cells) else "" for column, at in places.items()}
            rows.append(_Row(f"{path}, row {number} (patient {patient})", patient, texts))
    if not rows:
        names = [cells[place].strip() for _, cells in lines[:3]]
        raise InputError(
            "the clinical table has no patient of the cohort",
            where=f"{path}, column {patient_column}",
            found=", ".join(names) or "no rows",
            expected=f"names such as {', '.join(sorted(patients)[:3])}" if patients else "a row per patient",
            todo="name the patients as in the table of patients, or set `clinical: patient_column`",
        )
    return rows


def _unnamed(readings: Sequence[_Reading], rows: Sequence[_Row]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for reading in readings:
        values = [value for row in rows if (value := reading.value(row.cells)) is not None]
        unnamed = Counter(value for value in values if value not in reading.level_of)
        if reading.level_of and unnamed:
            found[reading.covariate.name] = unnamed
    return found


def _add(known: dict[str, float | str], reading: _Reading, row: _Row) -> None:
    """Add the value of a covariate in a row to the values of the row's patient."""
    value, name = reading.value(row.cells), reading.covariate.name
    if value is None:
        return
    place = f"{row.place}, column {' or '.join(reading.columns)}"
    found = reading.level_of[value] if reading.level_of else _number(value, reading, place)
    if known.setdefault(name, found) != found:
        raise InputError(
            "the rows of a patient disagree",
            where=place,
            found=f"{name} {found}, and {known[name]} in a row above",
            expected="the same value in each row of a patient",
            todo="correct the rows",
        )


def _number(text: str, reading: _Reading, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number) and not (reading.is_age and not 0 <= number <= OLDEST):
        return number
    if reading.is_age:
        what, expected = "an age is not in years", f"an age from 0 to {OLDEST} years"
        todo = "give the age in years, not in days, as a date or as a year of birth"
    else:
        what, expected, todo = "a covariate is not a number", "a finite number", "correct the value"
    todo += f", or add the value to `missing` of {reading.covariate.name}"
    raise InputError(what, where=place, found=text, expected=expected, todo=todo)
