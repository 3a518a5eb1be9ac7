"""Folds as the field writes them, in one of three layouts.

- MCAT and most others: ``splits_0.csv``, ``splits_1.csv``, ... in a folder, with a column ``train`` and a column
  ``val`` or ``test``.
- MMP: folders whose names end in ``k=0``, ``k=1``, ..., each with ``train.csv`` and ``test.csv``, a row per slide and
  the patient in ``case_id``.
- Patho-Bench: one table, ``k=all.tsv``, a row per slide with the patient in ``case_id`` and a column ``fold_0``,
  ``fold_1``, ... that says ``train`` or ``test``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ccl.io.errors import InputError
from ccl.io.files import existing, read_rows, read_table

if TYPE_CHECKING:
    import pandas as pd

SPLITS = re.compile(r"splits_(\d+)\.csv")
NUMBERED = re.compile(r"(.*)k=(\d+)")
FOLD = re.compile(r"fold_(\d+)")

SIDES = ("train", "test")
"""The files of a fold in MMP's layout, without their ending, and the words in Patho-Bench's."""

PATIENT = "case_id"
"""The column of the patient in the layouts of MMP and Patho-Bench."""


def fold_files(path: Path) -> list[Path]:
    """Return the files of folds, in order.

    Parameters
    ----------
    path : Path
        A folder; a table in the layout of Patho-Bench; or, where a folder has the folds of several cohorts in MMP's
        layout, the common start of the names, such as ``splits/survival/TCGA_BLCA_overall_survival_k=*``.

    Raises
    ------
    InputError
        There are none, or their numbers do not run from 0 without a gap.
    """
    folder, pattern = (path.parent, path.name) if "*" in path.name else (path, "*")
    if existing(folder).is_file():
        return [folder]
    names = {member: SPLITS.fullmatch(member.name) for member in folder.glob(pattern)}
    numbers = {int(match[1]): [member] for member, match in names.items() if match}
    return _in_order(path, numbers or _numbered_folders(folder, pattern))


def _numbered_folders(folder: Path, pattern: str) -> dict[int, list[Path]]:
    """Return the files of the folds in MMP's layout by their numbers."""
    matches = {
        member: match
        for member in folder.glob(pattern)
        if (match := NUMBERED.fullmatch(member.name)) and (member / "test.csv").exists()
    }
    starts = sorted({match[1] for match in matches.values()})
    if len(starts) > 1:
        raise InputError(
            "a folder has several sets of folds",
            where=str(folder),
            found=", ".join(f"{start}k=*" for start in starts[:5]),
            expected="the folds of one cohort",
            todo=f"name one set in the config, such as folds: .../{starts[0]}k=*",
        )
    return {int(match[2]): [member / f"{side}.csv" for side in SIDES] for member, match in matches.items()}


def _in_order(path: Path, numbers: dict[int, list[Path]]) -> list[Path]:
    if sorted(numbers) != list(range(len(numbers))) or not numbers:
        raise InputError(
            "the folds are not complete",
            where=str(path),
            found=", ".join(member.name for n in sorted(numbers) for member in numbers[n]) or "no splits_*.csv",
            expected="splits_0.csv, splits_1.csv, ... without a gap; or folders that end in k=0, k=1, ... with"
            " train.csv and test.csv",
            todo="add the missing files, or leave `folds` out of the config to have folds drawn",
        )
    return [member for n in sorted(numbers) for member in numbers[n]]


def _layout(files: Sequence[Path]) -> Literal["lists", "pairs", "table"]:
    """Return the layout of files of folds: MCAT's, MMP's or Patho-Bench's."""
    if SPLITS.fullmatch(files[0].name):
        return "lists"
    return "pairs" if NUMBERED.fullmatch(files[0].parent.name) and files[0].stem in SIDES else "table"


def count_folds(files: Sequence[Path]) -> int:
    """Return the number of folds of :func:`fold_files`."""
    if _layout(files) == "table":
        return len(_fold_columns(files[0], read_rows(files[0])[0]))
    return len(files) // (1 if _layout(files) == "lists" else len(SIDES))


def _fold_columns(path: Path, header: Sequence[str]) -> list[str]:
    """Return ``fold_0``, ``fold_1``, ... of a table."""
    numbers = sorted(int(match[1]) for name in header if (match := FOLD.fullmatch(name)))
    if numbers != list(range(len(numbers))) or not numbers:
        raise InputError(
            "the folds are not complete",
            where=f"{path}, header",
            found=", ".join(f"fold_{number}" for number in numbers) or ", ".join(header[:12]),
            expected="columns fold_0, fold_1, ... without a gap",
            todo="name a table in Patho-Bench's layout in `folds`, or a folder of splits_0.csv, splits_1.csv, ...",
        )
    return [f"fold_{number}" for number in numbers]


Row = tuple[int, str, str]
"""Fold, patient, role."""


def read_folds(files: Sequence[Path], patients: Sequence[str], left_out: Collection[str] = ()) -> pd.DataFrame:
    """Read the folds that :func:`fold_files` found.

    Parameters
    ----------
    files : sequence of Path
        The files.
    patients : sequence of str
        The patients of the cohort.
    left_out : collection of str
        Other patients, who may be named and are not taken.

    Returns
    -------
    DataFrame
        ``fold`` (int), ``patient_id``, ``role`` (``train`` or ``test``).

    Raises
    ------
    InputError
        A patient is unknown, or is on both sides of a fold; or some patients are tested more often than others, which
        only Patho-Bench's tables may say, as many of them draw each fold anew.
    """
    import pandas as pd  # not above: planning reads no fold, and pandas takes long to import

    layout = _layout(files)
    if layout == "lists":
        found = [(path, _lists(path, fold)) for fold, path in enumerate(files)]
    elif layout == "pairs":
        pairs = zip(files[::2], files[1::2], strict=True)
        found = [(train.parent, _pair(train, test, fold)) for fold, (train, test) in enumerate(pairs)]
    else:
        found = [(files[0], rows) for rows in _table(files[0])]
    for place, rows in found:
        _check_fold(place, rows, {*patients, *left_out})
    taken = [row for _, rows in found for row in rows if row[1] not in left_out]
    folds = pd.DataFrame(taken, columns=["fold", "patient_id", "role"])
    if layout != "table":
        _check_tests(folds, files[0].parent)
    return folds


def _lists(path: Path, fold: int) -> list[Row]:
    """Read a fold in MCAT's layout."""
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
    sides = (("train", "train"), (tests[0], "test"))
    return [(fold, str(patient), role) for column, role in sides for patient in table[column].dropna()]


def _pair(train: Path, test: Path, fold: int) -> list[Row]:
    """Read a fold in MMP's layout, where a patient with several slides has several rows."""
    return [
        (fold, str(patient), role)
        for role, path in zip(SIDES, (train, test), strict=True)
        for patient in read_table(path, required=(PATIENT,), text=(PATIENT,))[PATIENT].dropna().unique()
    ]


def _table(path: Path) -> Iterator[list[Row]]:
    """Read the folds in Patho-Bench's layout; a patient without a word is on neither side of the fold."""
    columns = _fold_columns(path, read_rows(path)[0])
    table = read_table(path, required=(PATIENT,), text=(PATIENT, *columns))
    for fold, column in enumerate(columns):
        rows = table[[PATIENT, column]].dropna().drop_duplicates()
        unknown = sorted(set(rows[column]) - set(SIDES))
        if unknown:
            raise InputError(
                "a fold has a word other than train and test",
                where=f"{path}, column {column}",
                found=", ".join(unknown[:3]),
                expected="train, test, or nothing",
                todo="write train for patients that ccl may train on; to choose epochs, it holds out patients itself"
                " (train: inner)",
            )
        yield [(fold, str(patient), str(role)) for patient, role in rows.itertuples(index=False)]


def in_no_fold(folds: pd.DataFrame, patients: Sequence[str]) -> list[str]:
    """Return the patients that are in no fold, sorted."""
    return sorted(set(patients) - set(folds["patient_id"]))


def refuse_in_no_fold(nowhere: Sequence[str], where: Path) -> None:
    """Raise :class:`InputError` for patients that are in no fold, if there are any."""
    if nowhere:
        raise InputError(
            "a patient is in no fold",
            where=str(where),
            found=f"{nowhere[0]}" + (f" and {len(nowhere) - 1} more" if len(nowhere) > 1 else ""),
            expected="every patient of the cohort in the folds",
            todo="add the patients to the folds, or take them out of the patients table",
        )


def _check_fold(path: Path, rows: list[Row], known: set[str]) -> None:
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


def _check_tests(folds: pd.DataFrame, where: Path) -> None:
    """Raise InputError where some patients are tested more often than others, before anything is trained."""
    times = folds[folds["role"] == "test"].groupby("patient_id").size()
    if times.nunique() > 1:
        raise InputError(
            "some patients are tested more often than others",
            where=str(where),
            found=f"{times.idxmax()} in {times.max()} test folds, {times.idxmin()} in {times.min()}",
            expected="every patient in one test fold, or in equally many (repeated cross-validation)",
            todo="correct the folds, or take those columns or files that make whole partitions",
        )


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
