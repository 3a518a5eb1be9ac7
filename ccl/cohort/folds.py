"""Folds as the field writes them: one ``splits_*.csv`` each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ccl.io.errors import InputError
from ccl.io.files import existing, read_table

if TYPE_CHECKING:
    import pandas as pd


def fold_files(folder: Path) -> list[Path]:
    """Return ``splits_0.csv``, ``splits_1.csv``, ... of a folder, in order.

    Raises
    ------
    InputError
        There are none, or their numbers do not run from 0 without a gap.
    """
    names = {path: re.fullmatch(r"splits_(\d+)\.csv", path.name) for path in existing(folder).iterdir()}
    numbers = {int(match[1]): path for path, match in names.items() if match}
    if sorted(numbers) != list(range(len(numbers))) or not numbers:
        raise InputError(
            "the folds are not complete",
            where=str(folder),
            found=", ".join(f"splits_{n}.csv" for n in sorted(numbers)) or "no splits_*.csv",
            expected="splits_0.csv, splits_1.csv, ... without a gap",
            todo="add the missing files, or leave `folds` out of the config to have folds drawn",
        )
    return [numbers[n] for n in sorted(numbers)]


def read_folds(files: Sequence[Path], patients: Sequence[str]) -> pd.DataFrame:
    """Read one file per fold: a column ``train``, and a column ``val`` or ``test`` that is the test fold.

    Returns
    -------
    DataFrame
        ``fold`` (int), ``patient_id``, ``role`` (``train`` or ``test``).

    Raises
    ------
    InputError
        A patient is unknown, is on both sides of a fold, or is in no fold at all.
    """
    import pandas as pd  # not above: planning reads no fold, and pandas takes long to import

    rows: list[tuple[int, str, str]] = []
    for fold, path in enumerate(files):
        table = read_table(path, required=("train",), text=("train", "val", "test"))
        tests = [name for name in ("val", "test") if name in table.columns and table[name].notna().any()]
        if len(tests) != 1:
            raise InputError(
                "a fold needs one test list",
                where=f"{path}, header",
                found=", ".join(map(str, table.columns)),
                expected="a column train and exactly one filled column val or test",
                todo="keep the list that the model is judged on, and leave the other out",
            )
        for column, role in (("train", "train"), (tests[0], "test")):
            rows += [(fold, str(patient), role) for patient in table[column].dropna()]
        _check_fold(path, [row for row in rows if row[0] == fold], set(patients))
    folds = pd.DataFrame(rows, columns=["fold", "patient_id", "role"])
    nowhere = sorted(set(patients) - set(folds["patient_id"]))
    if nowhere:
        raise InputError(
            "a patient is in no fold",
            where=str(files[0].parent),
            found=f"{nowhere[0]}" + (f" and {len(nowhere) - 1} more" if len(nowhere) > 1 else ""),
            expected="every patient of the cohort in the folds",
            todo="add the patients to the folds, or take them out of the patients table",
        )
    return folds


def _check_fold(path: Path, rows: list[tuple[int, str, str]], known: set[str]) -> None:
    seen: dict[str, str] = {}
    for _, patient, role in rows:
        if patient not in known:
            raise InputError(
                "a fold names an unknown patient",
                where=f"{path}, column {role}",
                found=patient,
                expected="patients of the patients table",
                todo="correct the name, or add the patient's follow-up",
            )
        if patient in seen:
            raise InputError(
                "a patient is in a fold twice",
                where=str(path),
                found=f"{patient} in {seen[patient]} and in {role}",
                expected="each patient once, in train or in test",
                todo="remove one of the two",
            )
        seen[patient] = role


def check_events(folds: pd.DataFrame, patients: pd.DataFrame, where: Path) -> None:
    """Raise :class:`InputError` where a fold has no event to learn from or to be judged by."""
    dead = set(patients.loc[patients["censorship"] == 0, "patient_id"])
    for (fold, role), members in folds.groupby(["fold", "role"])["patient_id"]:
        if not dead & set(members):
            raise InputError(
                "a fold has no events",
                where=f"{where}, fold {fold}, {role}",
                found=f"{len(members)} patients, all censored",
                expected="at least one observed death in the training and the test patients of each fold",
                todo="draw other folds, or fewer",
            )
