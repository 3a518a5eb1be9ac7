"""Reading the folds of a model, and refusing those that do not belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.io.errors import InputError
from ccl.io.files import read_json, read_table, row_of
from ccl.methods import get_method

FILES = ("run.json", "predictions.csv")

COLUMNS = ("seed", "epoch", "patient_id", "months", "censorship", "risk")

NAMES = ("cohort", "encoder", "model", "method", "weights", "synthetic", "parameters", "k", "empty_clusters")
"""Entries of ``run.json`` that ``evaluation.json`` repeats."""

AGREED = (*NAMES, "hyper", "settings", "seeds", "families")
"""Entries of ``run.json`` in which the folds of one evaluation must not differ."""


@dataclass(frozen=True)
class FoldRun:
    """The files of one trained fold."""

    folder: Path
    facts: Mapping[str, Any]
    """``run.json``."""
    predictions: pd.DataFrame
    """``predictions.csv``: the test patients after every epoch, for every seed."""
    inner: pd.DataFrame | None = None
    """C-index on the patients held out of training: ``seed``, ``epoch``, ``c_index_inner``; None if there were none."""

    @property
    def fold(self) -> int:
        """Number of the fold."""
        return int(self.facts["fold"])

    @property
    def files(self) -> list[Path]:
        """All that is needed to use its networks: ``run.json``, ``predictions.csv`` and ``model.safetensors``."""
        return [self.folder / name for name in (*FILES, "model.safetensors")]

    @property
    def reads(self) -> tuple[str, ...]:
        """What the model reads: see :class:`ccl.methods.declaration.Method`."""
        return get_method(self.facts["method"], clinical="covariates" in self.facts).reads

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the survival intervals (months); empty if survival was not predicted."""
        return np.asarray(self.facts.get("interval_edges", ()), dtype=np.float64)

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return int(self.predictions["epoch"].max())


def read_folds(folders: Sequence[Path]) -> list[FoldRun]:
    """Read the fold folders of one method, in the order of their folds.

    Raises
    ------
    InputError
        A file is missing or incomplete, or the folds do not belong together.
    """
    if not folders:
        raise InputError(
            "there is no fold to evaluate",
            expected="one folder or more that `ccl train` wrote",
            todo="name the fold folders",
        )
    runs = sorted((_read_fold(Path(folder)) for folder in folders), key=lambda run: run.fold)
    _check_agreement(runs)
    return runs


def _read_fold(folder: Path) -> FoldRun:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(
            "a fold is not trained, or only half",
            where=str(folder),
            found=f"no {' and no '.join(missing)}",
            expected=" and ".join(FILES),
            todo="train the fold again",
        )
    entries = (*AGREED, "fold", "left_out", "facts")
    facts = read_json(folder / "run.json", required=entries, todo="train the fold again")
    path = folder / "predictions.csv"
    survival = survival_columns(len(facts.get("interval_edges", ())))
    predictions = read_table(path, required=(*COLUMNS, *survival), text=("patient_id",))
    todo = "train the fold again; a risk that is no number means that training diverged"
    check_values(path, predictions, survival, todo=todo)
    _check_grid(path, predictions, facts["seeds"])
    return FoldRun(folder, facts, predictions, _read_inner(folder, predictions) if "n_inner" in facts else None)


def _read_inner(folder: Path, predictions: pd.DataFrame) -> pd.DataFrame:
    """Read the C-index on the patients held out from ``history.csv``, for each seed and epoch that is predicted."""
    path, columns = folder / "history.csv", ["seed", "epoch", "c_index_inner"]
    history = read_table(path, required=tuple(columns))[columns]
    epochs = predictions[columns[:2]].drop_duplicates().merge(history, how="left")
    if len(epochs) != len(history) or epochs["c_index_inner"].isna().any():
        raise InputError(
            "the history of a fold is not complete",
            where=str(path),
            found=f"{int(epochs['c_index_inner'].notna().sum())} pairs of seed and epoch with a C-index",
            expected="a C-index on the patients held out for each seed and epoch of predictions.csv",
            todo="train the fold again",
        )
    return epochs


def survival_columns(edges: int) -> list[str]:
    """Return the columns of predicted survival at some edges of intervals, all but the first."""
    return [f"survival_{number}" for number in range(1, edges)]


def check_values(path: Path, predictions: pd.DataFrame, survival: list[str], *, todo: str) -> None:
    """Refuse predictions that are not numbers, and follow-up that is impossible or differs between rows."""
    numeric = predictions[["months", "censorship", "risk", *survival]].apply(pd.to_numeric, errors="coerce")
    valid = np.isfinite(numeric).all(axis=1) & numeric["censorship"].isin([0, 1]) & (numeric["months"] >= 0)
    valid &= numeric[survival].ge(0).all(axis=1) & numeric[survival].le(1).all(axis=1)
    if not valid.all():
        place, row = next(predictions[~valid].iterrows())
        raise InputError(
            "a prediction cannot be judged",
            where=f"{path}, row {row_of(place)} (patient {row['patient_id']})",
            found=", ".join(f"{name} {row[name]}" for name in numeric),
            expected="months >= 0, censorship 0 or 1, a finite risk, and survival between 0 and 1",
            todo=todo,
        )
    answers = predictions.groupby("patient_id")[["months", "censorship"]].nunique()
    changing = answers.index[(answers > 1).any(axis=1)]
    if len(changing):
        raise InputError(
            "the follow-up of a patient differs between rows",
            where=f"{path}, patient {changing[0]}",
            expected="the same months and censorship in every row of a patient",
            todo=todo,
        )


def _check_grid(path: Path, predictions: pd.DataFrame, seeds: Sequence[int]) -> None:
    """Refuse predictions that do not have each patient once for each seed and epoch."""
    patients = predictions["patient_id"].nunique()
    epochs = range(1, 1 + (int(predictions["epoch"].max()) if len(predictions) else 0))
    expected = {(seed, epoch) for seed in seeds for epoch in epochs}
    groups = predictions.groupby(["seed", "epoch"])["patient_id"]
    counts = groups.agg(["size", "nunique"])
    whole = counts[(counts["size"] == patients) & (counts["nunique"] == patients)]
    if not expected or set(whole.index) != expected or len(counts) != len(expected):
        raise InputError(
            "the predictions of a fold are not complete",
            where=str(path),
            found=f"{len(whole)} whole pairs of seed and epoch",
            expected=f"{len(expected)} (seeds {', '.join(map(str, seeds))}; epochs 1 to {len(epochs)}), "
            f"each with the same {patients} patients once",
            todo="train the fold again",
        )


def _check_agreement(runs: Sequence[FoldRun]) -> None:
    """Refuse folds of different methods, settings or numbers of epochs, and a fold given twice."""
    first = runs[0]
    for before, run in pairwise(runs):
        if run.fold == before.fold:
            raise InputError(
                "a fold is given twice",
                where=f"{before.folder} and {run.folder}",
                found=f"fold {run.fold} in both",
                expected="each fold once",
                todo="name each fold folder once",
            )
    for run in runs[1:]:
        pairs = {name: (first.facts[name], run.facts[name]) for name in AGREED}
        pairs["number of epochs"] = (first.epochs, run.epochs)
        for name, (one, other) in pairs.items():
            if one != other:
                raise InputError(
                    f"the folds differ in their {name}",
                    where=f"{first.folder} and {run.folder}",
                    found=" and ".join(_differing(one, other)),
                    expected="folds of one cohort, encoder and model, trained alike",
                    todo="train all folds with the same config",
                )


def _differing(one: Any, other: Any) -> tuple[str, str]:
    """Return two values in words; of two mappings, which may have thousands of names, only the differences."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
        one, other = ({key: mapping[key] for key in keys if key in mapping} for mapping in (one, other))
    first, second = (shorten(str(value), 200, placeholder=" ...") for value in (one, other))
    return first, second


def check_patients(runs: Sequence[FoldRun], where: Path) -> None:
    """Refuse folds that test some patients more often than others.

    Repeated cross-validation tests everybody equally often.  Anything else is most likely a mistake in the table.  For
    its own runs ccl checks this in the cohort stage, which knows the layout of the folds.
    """
    tested = pd.concat([run.predictions[["patient_id"]].drop_duplicates().assign(fold=run.fold) for run in runs])
    folds = tested.groupby("patient_id")["fold"].agg(list)
    times = folds.map(len)
    if times.nunique() > 1:
        most = str(times.idxmax())
        raise InputError(
            "some patients are tested more often than others",
            where=f"{where}, patient {most}",
            found=f"tested in folds {', '.join(map(str, folds[most]))}; others in only {times.min()}",
            expected="every patient in one test fold, or in equally many (repeated cross-validation)",
            todo="correct the folds of the cohort",
        )
