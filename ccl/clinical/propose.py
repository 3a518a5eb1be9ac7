"""Lines of a config that declare the columns of a clinical table as covariates, for the user to choose from."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ccl.clinical.checks import is_outcome
from ccl.config.cohort_sections import MISSING
from ccl.io import files

MOST_LEVELS = 12
"""A column of text with more values is a free text or an identifier."""


@dataclass(frozen=True)
class Proposal:
    """What a clinical table offers."""

    lines: list[str]
    """Section ``clinical``, in YAML."""
    covariates: list[str]
    """The columns that are proposed."""
    outcomes: list[str]
    """Columns that are named like an outcome."""
    others: list[str]
    """Columns of one value, or of too many."""


def propose_covariates(path: Path, patients: Collection[str]) -> Proposal | None:
    """Return a section for a clinical table; None if no column names patients of the cohort.

    A column of numbers is ``numeric``, one of a few words ``categorical`` with its values as levels; the user
    decides whether the levels have an order.
    """
    header, rows = files.read_rows(path)
    cells = pd.DataFrame([row.named(header) for row in rows], columns=header, dtype=object)
    cells = cells.mask(cells.isin(MISSING))
    named = cells.isin(set(patients)).sum()
    patient = str(named.idxmax())
    if not named[patient]:
        return None
    found = Proposal([], [], [], [])
    for column in header:
        if column == patient:
            continue
        values = sorted(cells[column].dropna().unique())
        is_number = pd.to_numeric(pd.Series(values), errors="coerce").notna().all()
        if is_outcome(column):
            found.outcomes.append(column)
        elif len(values) < 2 or (len(values) > MOST_LEVELS and not is_number):
            found.others.append(column)
        else:
            found.covariates.append(column)
            name = re.sub(r"[^A-Za-z0-9._-]+", "_", column).strip("._-") or f"column{len(found.covariates)}"
            found.lines.append(f"    {name}: {_entry(column, name, [] if is_number else values)}")
    found.lines[:0] = [f"table: {_quoted(str(path.absolute()))}", f"patient_column: {_quoted(patient)}", "covariates:"]
    return found


def _entry(column: str, name: str, levels: list[str]) -> str:
    keys = {"kind": "categorical" if levels else "numeric"}
    if column != name:
        keys["columns"] = f"[{_quoted(column)}]"
    if levels:
        keys["levels"] = f"[{', '.join(map(_quoted, levels))}]"
    return "{" + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
