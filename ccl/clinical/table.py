"""Reading the user's clinical table: every value becomes a number, a level or a missing value, as the config says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ccl.config import sections
from ccl.io.covariates import Covariate
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import Row, read_rows
from ccl.io.sheets import check_ids

OLDEST = 130
"""Years; a larger age is a year or a date."""


@dataclass(frozen=True)
class _Reading:
    """How one covariate is read."""

    covariate: Covariate
    columns: tuple[str, ...]
    level_of: Mapping[str, str]
    """Value of the table to name of its level."""
    missing: frozenset[str]

    def value(self, row: Mapping[str, str]) -> str | None:
        """Return the first value of a row that is not missing."""
        values = (row[column] for column in self.columns if column in row)
        return next((value for value in values if value in self.level_of or value not in self.missing), None)


def covariates_of(clinical: sections.Clinical) -> tuple[Covariate, ...]:
    """Return the covariates that a config declares."""
    return tuple(reading.covariate for reading in _readings(clinical))


def _readings(clinical: sections.Clinical) -> list[_Reading]:
    found = []
    for name, entry in clinical.covariates.items():
        levels = [(level,) if isinstance(level, str) else level for level in entry.levels]
        covariate = Covariate(name, entry.kind, tuple(level[0] for level in levels), entry.indicator, entry.unit)
        level_of = {value: level[0] for level in levels for value in level}
        missing = frozenset((*clinical.missing, *entry.missing))
        found.append(_Reading(covariate, entry.columns or (name,), level_of, missing))
    return found


def read_clinical(path: Path, clinical: sections.Clinical, *, patient_column: str) -> pd.DataFrame:
    """Read the covariates of all patients of a table.

    A table with a row per slide or sample is welcome: the rows of a patient must agree, and a missing value is filled
    from the patient's other rows.

    Returns
    -------
    DataFrame
        Indexed by patient, sorted, a column for each covariate: float, or the name of a level; NaN where missing.

    Raises
    ------
    InputError
        A column is missing, an identifier is empty, two rows of a patient disagree, or a value is not a number.
    ConfigError
        A value is no level of its covariate; all such values are listed.
    """
    readings = _readings(clinical)
    columns = [column for reading in readings for column in reading.columns]
    header, lines = read_rows(path, required=(patient_column, *dict.fromkeys(columns)))
    rows = [(line.number, line.named(header)) for line in lines]
    check_ids(path, ((number, row.get(patient_column)) for number, row in rows), "patient")
    unnamed = unnamed_values(clinical, lines, header)
    if unnamed:
        raise ConfigError(
            "the clinical table has values that the config does not name",
            where=f"{path}; clinical: covariates",
            found="; ".join(f"{name}: {_listed(values)}" for name, values in unnamed.items()),
            expected="each value among the covariate's `levels`, or among its `missing`",
            todo="add the values to the covariate's `levels` or `missing`",
        )
    values: dict[str, dict[str, float | str]] = {row[patient_column]: {} for _, row in rows}
    for reading in readings:
        name = reading.covariate.name
        for number, row in rows:
            if (value := reading.value(row)) is None:
                continue
            place = f"{path}, row {number} (patient {row[patient_column]}), column {' or '.join(reading.columns)}"
            read = reading.level_of[value] if reading.level_of else _number(value, reading, place)
            known = values[row[patient_column]].setdefault(name, read)
            if known != read:
                raise InputError(
                    "the rows of a patient disagree",
                    where=place,
                    found=f"{name} {read}, and {known} in a row above",
                    expected="the same value in each row of a patient",
                    todo="correct the rows",
                )
    table = pd.DataFrame.from_dict(values, orient="index", columns=[reading.covariate.name for reading in readings])
    numeric = [reading.covariate.name for reading in readings if reading.covariate.kind == "numeric"]
    return table.astype(dict.fromkeys(numeric, float)).sort_index()


def unnamed_values(
    clinical: sections.Clinical, lines: Sequence[Row], header: Sequence[str]
) -> dict[str, Mapping[str, int]]:
    """Return the values of ordinal and categorical covariates that the config does not name, with their counts."""
    rows = [line.named(header) for line in lines]
    found: dict[str, Mapping[str, int]] = {}
    for reading in _readings(clinical):
        if not reading.level_of:
            continue
        values = Counter(value for row in rows if (value := reading.value(row)) and value not in reading.level_of)
        if values:
            found[reading.covariate.name] = values
    return found


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{value} ({count} rows)" for value, count in sorted(values.items(), key=lambda pair: -pair[1]))


def _number(text: str, reading: _Reading, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    is_age = "age" in {word.lower() for name in (reading.covariate.name, *reading.columns) for word in _words(name)}
    if not math.isfinite(number) or (is_age and not 0 <= number <= OLDEST):
        raise InputError(
            "a covariate is not a number" if not math.isfinite(number) else "an age is not in years",
            where=place,
            found=text,
            expected=f"an age from 0 to {OLDEST} years" if is_age else "a finite number",
            todo="give the age in years, not a date or a year of birth"
            if is_age
            else f"correct the value, or add it to `missing` of {reading.covariate.name}",
        )
    return number


def _words(name: str) -> Iterator[str]:
    return iter(name.replace("-", "_").replace(".", "_").split("_"))
