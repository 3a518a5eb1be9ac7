"""What the columns of somebody's table of patients mean, by their names and values.

Nothing is converted: what a table does not hold in the form that ccl reads is told, with what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ccl.cohort.find import owner_of

PATIENT_NAMES = (
    "patientid",
    "patient",
    "casesubmitterid",
    "bcrpatientbarcode",
    "caseid",
    "submitterid",
    "patientbarcode",
    "participantid",
    "subjectid",
    "id",
)
MONTHS_NAMES = ("months", "survivalmonths", "osmonths", "overallsurvivalmonths", "followupmonths")
CENSORSHIP_NAMES = ("censorship", "censored", "censor", "iscensored", "censoring")
EVENT_NAMES = (
    "vitalstatus",
    "osstatus",
    "overallsurvivalstatus",
    "survivalstatus",
    "os",
    "osevent",
    "event",
    "eventobserved",
    "dead",
    "death",
    "deceased",
    "died",
    "status",
)
"""Columns that tell deaths, the opposite of censorship.  These and the names above are compared as :func:`plain` writes
them, the first that is there counts."""

ALIVE = ("alive", "living", "0living", "0alive", "0", "false", "no")
DEAD = ("dead", "deceased", "died", "1deceased", "1dead", "1", "true", "yes")
"""Values of such columns, written in the same way."""


@dataclass(frozen=True)
class Guess:
    """A column of the table of patients, or what to do where there is none to take."""

    column: str | None
    said: str
    """Why this column, or what the table lacks and how to add it."""


def plain(name: object) -> str:
    """Return a name or a value in small letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", shown(name).lower())


def shown(value: object) -> str:
    """Return a value as a person writes it: 1, not 1.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def guess_patient_column(table: pd.DataFrame, names: Sequence[Sequence[str]]) -> str | None:
    """Return the column that names the owners of most slides, one of a usual name before others; None if none does.

    Parameters
    ----------
    table : DataFrame
        The table of patients, identifiers as text.
    names : sequence of sequence of str
        Of each slide, what :func:`owner_of` takes.
    """
    best, most = None, (False, 0)
    for column in sorted(identifying(table), key=lambda name: _place(name, PATIENT_NAMES)):
        patients = set(table[column].dropna())
        owned = sum(owner_of(slide, patients) in patients for slide in names)
        rank = (plain(column) in PATIENT_NAMES, owned)
        if owned and rank > most:
            best, most = column, rank
    return best


def identifying(table: pd.DataFrame) -> list[str]:
    """Return the columns that may name a patient: those of text, and numbers under a usual name."""
    text = set(table.select_dtypes(exclude="number").columns)
    return [name for name in table.columns if name in text or plain(name) in PATIENT_NAMES]


def guess_months(table: pd.DataFrame) -> Guess:
    """Look for the follow-up in months."""
    numbers = table.select_dtypes("number").columns
    months = sorted((c for c in numbers if "month" in plain(c)), key=lambda name: _place(name, MONTHS_NAMES))
    if months and (len(months) == 1 or plain(months[0]) in MONTHS_NAMES):
        return Guess(months[0], f"`{months[0]}` is the follow-up in months, by its name")
    if months:
        return Guess(None, f"several columns are in months ({_quoted(months)}): set `months_column` to the follow-up")
    others = [c for c in table.columns if re.search("day|time|followup|survival", plain(c)) and c in numbers]
    told = f"; {_quoted(others)} may hold it in another unit" if others else ""
    return Guess(
        None, f"no column is in months{told}: add a column `months`, the follow-up in months (days divided by 30.44)"
    )


def guess_censorship(table: pd.DataFrame) -> Guess:
    """Look for censorship; a column of deaths is its opposite, and is named, not turned round."""
    rule = "1 for patients who were alive when last seen and 0 for those who died"
    named = _first(table, CENSORSHIP_NAMES)
    if named is not None and set(table[named].dropna().map(plain)) <= {"0", "1"}:
        return Guess(named, f"`{named}` is 1 where a patient was censored and 0 where death was observed, by its name")
    if named is not None:
        held = _values(table[named])
        return Guess(None, f"`{named}` holds {held} instead of 0 and 1: add a column `censorship`, {rule}")
    event = _first(table, EVENT_NAMES)
    if event is None:
        return Guess(None, f"no column of censorship was found: add a column `censorship`, {rule}")
    values = sorted(table[event].dropna().unique(), key=str)
    alive, dead = ([shown(v) for v in values if plain(v) in words] for words in (ALIVE, DEAD))
    if len(alive) + len(dead) == len(values) and alive and dead:
        rule = f"1 where `{event}` is {' or '.join(alive)} and 0 where it is {' or '.join(dead)}"
    return Guess(
        None,
        f"there is no column of censorship. `{event}` ({_values(table[event])}) tells deaths by its name, which is the "
        f"opposite, and is not inverted for you: add a column `censorship`, {rule}",
    )


def _place(name: str, names: Sequence[str]) -> int:
    """Return where a column stands among the usual names, behind all others if it is none of them."""
    return names.index(plain(name)) if plain(name) in names else len(names)


def _first(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    found = [column for column in table.columns if plain(column) in names]
    return min(found, key=lambda name: _place(name, names), default=None)


def _values(column: pd.Series) -> str:
    values = sorted(map(shown, column.dropna().unique()))
    return ", ".join(values[:5]) + (", ..." if len(values) > 5 else "")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
