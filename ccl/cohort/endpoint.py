"""Follow-up of a named endpoint, such as DSS: event and time in two columns, empty where they are not known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccl.cohort.patients import FollowUp, in_months, list_patients, one_row_each
from ccl.config.cohort_sections import MISSING, CohortSettings
from ccl.io.errors import InputError
from ccl.io.files import read_table, row_of
from ccl.io.sheets import check_ids

STANDARD = ("OS", "DSS", "PFI", "DFI")
"""Endpoints of the TCGA clinical data resource (Liu et al., Cell 2018): columns ``OS`` and ``OS.time``, and so on."""

STATUS = r"(?P<code>[01])(?:\.0*)?(?::.*)?|(?P<event>dead|deceased)|(?P<none>alive|living)"
"""What a column of events may hold: 1 or 0, ``1:DECEASED`` or ``0:LIVING`` as in cBioPortal, or one of four words."""


def read_endpoint(patients: Path, table: Path | None, settings: CohortSettings) -> FollowUp:
    """Read the follow-up of the endpoint that the settings name.

    Parameters
    ----------
    patients : Path
        Table that lists the patients of the cohort, a row per patient or slide.
    table : Path, optional
        Table of the endpoint; where absent, `patients`.
    settings : CohortSettings
        Names of the endpoint and of its columns, and the unit of its time.

    Returns
    -------
    FollowUp
        Patients whose event or time is empty, contradicting or negative are left out.

    Raises
    ------
    InputError
        A column is missing, an event is none of :data:`STATUS`, a time is not a number, or two rows of a patient
        disagree.
    """
    read = _read(table or patients, settings, settings.patient_column if table is None else _column(settings))
    members = list(read.index) if table is None else list_patients(patients, settings.patient_column)
    others = sorted(set(members) - set(read.index))
    read = read[read.index.isin(members)]
    if read.empty:
        raise InputError(
            "no patient of the cohort is in the table of the endpoint",
            where=str(table or patients),
            found=", ".join(others[:3]) or "no rows",
            expected="the same names of patients in both tables",
            todo="check `patient_column` and `endpoint_patient_column` in the config",
        )
    name = str(settings.endpoint)
    no_time, no_event = read["time"].isna(), read["event"].isna()
    reasons = {
        "no row in the table of the endpoint": others,
        f"no {name}": list(read.index[no_event]),
        f"{name} event without a time": list(read.index[no_time & read["event"].eq(1)]),
        f"{name} censored without a time": list(read.index[no_time & read["event"].eq(0)]),
        f"negative {name} time": list(read.index[read["time"].lt(0) & ~no_event]),
    }
    kept = read.drop([patient for names in reasons.values() for patient in names], errors="ignore")
    if kept.empty:
        raise InputError(
            f"no patient has the endpoint {name}",
            where=str(table or patients),
            found=", ".join(f"{len(names)} with {reason}" for reason, names in reasons.items() if names),
            expected="patients with an event or a censoring, and its time",
            todo="name the columns of another endpoint",
        )
    follow_up = pd.DataFrame(
        {"patient_id": kept.index, "months": kept["time"].to_numpy(), "censorship": 1 - kept["event"].astype(int)}
    ).reset_index(drop=True)
    return FollowUp(follow_up, {reason: names for reason, names in reasons.items() if names}, _facts(kept, settings))


def _column(settings: CohortSettings) -> str:
    return settings.endpoint_patient_column or settings.patient_column


def columns_of(settings: CohortSettings) -> tuple[str, str]:
    """Return the columns of the event and of the time."""
    return settings.event_column or str(settings.endpoint), settings.time_column or f"{settings.endpoint}.time"


def _read(path: Path, settings: CohortSettings, patient_column: str) -> pd.DataFrame:
    """Return ``event`` (1, 0 or NaN) and ``time`` (months) by patient, also of each standard endpoint in the table."""
    event, time = columns_of(settings)
    header = [column for name in STANDARD for column in (name, f"{name}.time")]
    raw = read_table(path, required=(patient_column, event, time), text=(patient_column, event, time, *header))
    check_ids(path, ((row_of(index), value) for index, value in raw[patient_column].items()), "patient")
    pairs = {"": (event, time), **{f"{name} ": (name, f"{name}.time") for name in STANDARD}}
    found: dict[str, Any] = {"patient_id": raw[patient_column]}
    for prefix, (its_event, its_time) in pairs.items():
        if {its_event, its_time} <= set(raw.columns):
            found[f"{prefix}event"] = _events(path, raw[its_event].mask(raw[its_event].isin(MISSING)), its_event)
            times = _times(path, raw[its_time].mask(raw[its_time].isin(MISSING)), its_time)
            found[f"{prefix}time"] = in_months(times, settings.time_unit)
    table = one_row_each(path, pd.DataFrame(found))
    return table.assign(word=raw[event]).set_index("patient_id").sort_index()


def _events(path: Path, values: pd.Series[str], column: str) -> pd.Series[float]:
    parts = values.str.extract(f"^(?i:{STATUS})$")
    events = pd.to_numeric(parts["code"]).mask(parts["event"].notna(), 1).mask(parts["none"].notna(), 0)
    unknown = values.notna() & events.isna()
    if unknown.any():
        index = events.index[unknown][0]
        raise InputError(
            "an event is neither 1 nor 0",
            where=f"{path}, row {row_of(index)}, column {column}",
            found=str(values[index]),
            expected="1, 1:..., Dead or Deceased for an event; 0, 0:..., Alive or Living for none; empty if not known",
            todo="write the column in one of these forms",
        )
    return events.astype(float)


def _times(path: Path, values: pd.Series[str], column: str) -> pd.Series[float]:
    times = pd.to_numeric(values, errors="coerce")
    wrong = (times.isna() & values.notna()) | np.isinf(times)
    if wrong.any():
        index = times.index[wrong][0]
        raise InputError(
            "a time is not a number",
            where=f"{path}, row {row_of(index)}, column {column}",
            found=str(values[index]),
            expected="a number, or nothing where the endpoint is not known",
            todo="correct the value",
        )
    return times.astype(float)


def _facts(kept: pd.DataFrame, settings: CohortSettings) -> dict[str, Any]:
    """Return what was read, and the records of patients who stay that are impossible or contradict each other."""
    event, time = columns_of(settings)
    dead = kept["OS event"].eq(1) if "OS event" in kept else None
    words = {code: sorted(set(kept.loc[kept["event"] == code, "word"].astype(str))) for code in (1, 0)}
    competing = dead is not None and settings.endpoint != "OS"
    return {
        "name": settings.endpoint,
        "event_column": event,
        "time_column": time,
        "time_unit": settings.time_unit,
        "values": {"event": words[1], "censored": words[0]},
        "competing_deaths": int((dead & kept["event"].eq(0)).sum()) if competing and dead is not None else None,
        "records": {what: sorted(kept.index[rows]) for what, rows in _contradictions(kept).items() if rows.any()},
    }


def _contradictions(kept: pd.DataFrame) -> Mapping[str, pd.Series[bool]]:
    found = {"event at time 0": kept["event"].eq(1) & kept["time"].eq(0)}
    if "OS event" in kept:
        # Rounding of months may differ between columns; a day is a thirtieth of a month.
        below = {name: kept["OS time"] + 0.01 < kept[f"{name} time"] for name in STANDARD[1:] if f"{name} time" in kept}
        found |= {f"OS time below {name} time": rows for name, rows in below.items()}
        if "DSS event" in kept:
            found["DSS event of a patient who is alive by OS"] = kept["DSS event"].eq(1) & kept["OS event"].eq(0)
    return found
