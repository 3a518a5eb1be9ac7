"""Predictions of other tools, read from one table as folds that are evaluated like those of ccl."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccl.evaluate.folds import COLUMNS, NAMES, FoldRun, check_patients, check_values, survival_columns
from ccl.io.errors import InputError
from ccl.io.files import read_table, row_of

SURVIVAL = re.compile(r"survival_at_(\d+(?:\.\d+)?)")
"""Column of the predicted probability to be alive after the number of months in its name."""


def read_predictions(path: Path) -> list[FoldRun]:
    """Read the out-of-fold predictions of one model as folds with a single seed and epoch.

    Parameters
    ----------
    path : Path
        Table with ``patient_id``, ``months`` (or ``time``, also in months), ``censorship``, ``risk``; optionally
        ``fold``, for a C-index of each fold, and columns such as ``survival_at_36``, for predicted survival.  Other
        columns are ignored.

    Raises
    ------
    InputError
        The table is missing, incomplete or impossible, has a patient twice in a fold, or some patients in more folds
        than others.
    """
    table = read_table(path, required=("patient_id", "censorship", "risk"), text=("patient_id",))
    times = [name for name in ("months", "time") if name in table]
    if len(times) != 1:
        raise InputError(
            "one column of follow-up is needed",
            where=f"{path}, header",
            found=" and ".join(times) or ", ".join(map(str, table.columns)),
            expected="either months or time, in months",
            todo="rename a column or remove one",
        )
    survival = _survival(path, table)
    names = survival_columns(1 + len(survival))
    table = table.rename(columns={times[0]: "months", **dict(zip(survival, names, strict=True))})
    table = table.assign(seed=0, epoch=1, fold=table.get("fold", 0))[["fold", *COLUMNS, *names]]
    _check_rows(path, table)
    check_values(path, table, names, todo="correct the row")
    _check_falling(path, table[names])
    facts: dict[str, Any] = {
        **dict.fromkeys(NAMES), "model": path.stem, "left_out": {}, "facts": {},
        "interval_edges": [0.0, *survival.values()] if survival else [],
    }  # fmt: skip
    runs = [FoldRun(path, {**facts, "fold": fold}, rows) for fold, rows in table.groupby("fold")]
    check_patients(runs, path)
    return runs


def _survival(path: Path, table: pd.DataFrame) -> dict[str, float]:
    """Return the columns of predicted survival with their months, in order of these."""
    names = [str(name) for name in table.columns if str(name).startswith("survival")]
    found = {name: float(match[1]) for name in names if (match := SURVIVAL.fullmatch(name))}
    unknown = [name for name in names if not found.get(name)]
    if unknown or len(set(found.values())) < len(found):
        raise InputError(
            "a column of survival does not tell its time",
            where=f"{path}, header",
            found=", ".join(unknown or found),
            expected="survival_at_12, survival_at_36.5, ...: the months in the name, above 0, each once",
            todo="rename the columns, or remove them",
        )
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _check_rows(path: Path, table: pd.DataFrame) -> None:
    """Refuse a table without rows, a row without patient or fold, and a patient twice in a fold."""
    if table.empty:
        raise InputError("there are no predictions", where=str(path), expected="a row for each patient")
    problems = {
        "a prediction names no patient": table["patient_id"].isna() | table["patient_id"].eq(""),
        "a fold is no whole number": ~pd.to_numeric(table["fold"], errors="coerce").mod(1).eq(0),
        "a patient is predicted twice": table.duplicated(["fold", "patient_id"]),
    }
    for problem, wrong in problems.items():
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                problem,
                where=f"{path}, row {row_of(row)}",
                found=f"patient {table['patient_id'][row]}, fold {table['fold'][row]}",
                expected="one row for each patient that a fold tests",
                todo="correct the table",
            )


def _check_falling(path: Path, survival: pd.DataFrame) -> None:
    rising = (np.diff(survival.to_numpy(dtype=np.float64), axis=1) > 0).any(axis=1)
    if rising.any():
        raise InputError(
            "predicted survival rises with time",
            where=f"{path}, row {row_of(int(np.argmax(rising)))}",
            found=", ".join(f"{value:g}" for value in survival[rising].iloc[0]),
            expected="a probability to be alive that stays or falls from each time to the next",
            todo="correct the row",
        )
