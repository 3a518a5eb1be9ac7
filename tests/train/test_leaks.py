"""From the user's tables to a trained model: what only test patients know is not learnt, whatever the options."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ccl.clinical.stage import read_covariates
from ccl.cohort.folds import fold_files
from ccl.cohort.stage import make_cohort
from ccl.config.check import strictly
from ccl.config.cohort_sections import Clinical, CohortSettings
from ccl.config.sections import GenomicsSettings
from ccl.data.fold import Inputs
from ccl.genomics.stage import group_genomics
from ccl.train.stage import train_fold
from tests.data.conftest import SETTINGS

PATIENTS = 96
TESTED = np.arange(PATIENTS) % 4 == 0
"""The test patients of fold 0, or the held-out patients."""

COVARIATES = {
    "age": {"kind": "numeric", "indicator": True},
    "stage": {"kind": "ordinal", "levels": ["I", "II", "III"]},
    "type": {"kind": "categorical", "levels": ["a", "b", "c"]},
}


@dataclass(frozen=True)
class Tables:
    """The user's tables, a row per patient."""

    outcomes: pd.DataFrame
    genes: pd.DataFrame
    clinical: pd.DataFrame

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, table in vars(self).items():
            table.to_csv(folder / f"{name}.csv", index=False)
        (folder / "families.gmt").write_text("one\t\tG0\tG1\tG2\ntwo\t\tG2\tG3\tG4\n")
        names = self.outcomes["patient_id"].to_numpy()
        for fold in range(4):
            test = np.arange(PATIENTS) % 4 == fold
            sides = {"train": pd.Series(names[~test]), "val": pd.Series(names[test])}
            pd.DataFrame(sides).to_csv(folder / f"splits_{fold}.csv", index=False)
        (folder / "apart.csv").write_text("\n".join(["patient_id", *names[TESTED], ""]))

    def planted(self) -> Tables:
        """Give the test patients another survival, genes and covariates that tell it, and new gaps and extremes."""
        outcomes, genes, clinical = self.outcomes.copy(), self.genes.copy(), self.clinical.copy()
        rows = np.flatnonzero(TESTED)
        outcomes.loc[rows, "OS.time"] = np.linspace(1, 400, len(rows)).round(2)
        outcomes.loc[rows, "OS"] = 1
        genes.loc[rows, "G0"] = 1000 - outcomes.loc[rows, "OS.time"]
        genes.loc[rows, "G1"] = np.nan
        genes.loc[rows, "G3"] *= 1e4
        clinical.loc[rows, "age"] = 120 - outcomes.loc[rows, "OS.time"] / 4
        clinical.loc[rows[::2], "stage"] = np.nan
        clinical.loc[rows, "type"] = "c"
        return Tables(outcomes, genes, clinical)


@pytest.fixture
def tables() -> Tables:
    """Patients whose genes and covariates tell nothing."""
    rng = np.random.default_rng(0)
    names = [f"P{number:02d}" for number in range(PATIENTS)]
    outcomes = pd.DataFrame(
        {
            "patient_id": names,
            "OS": rng.integers(2, size=PATIENTS),
            "OS.time": rng.exponential(30, PATIENTS).round(2) + 1,
        }
    )
    genes = pd.DataFrame(rng.normal(size=(PATIENTS, 5)).round(4), columns=[f"G{number}" for number in range(5)])
    clinical = pd.DataFrame(
        {
            "patient_id": names,
            "age": rng.integers(40, 80, PATIENTS).astype(float),
            "stage": rng.choice(["I", "II", "III"], PATIENTS),
            "type": rng.choice(["a", "b", "c"], PATIENTS),
        }
    )
    return Tables(outcomes, genes.assign(patient_id=names), clinical)


def run(tables: Tables, folder: Path, method: str, *, held_out: bool = False, fold: int = 0, **options: Any) -> Path:
    """Write the tables, run every stage up to training, and return the folder of the model."""
    tables.write(folder)
    cohort = {"stratify": options.pop("stratify", "censorship")}
    track, clinical = options.pop("track", "unified"), options.pop("clinical", True)
    make_cohort(
        "c",
        folder / "cohort",
        settings=CohortSettings(endpoint="OS", n_folds=3, **cohort),
        patients=folder / "outcomes.csv",
        folds=() if held_out else fold_files(folder),
        held_out=folder / "apart.csv" if held_out else None,
    )
    settings = GenomicsSettings(families=(), missing="mean")
    group_genomics(
        folder / "genomics.h5", settings=settings, tables={"rna": folder / "genes.csv"}, gmt=[folder / "families.gmt"]
    )
    read_covariates(
        folder / "clinical",
        table=folder / "clinical.csv",
        clinical=strictly(Clinical, {"covariates": COVARIATES}),
        patient_column="patient_id",
        outcome_columns=("OS", "OS.time"),
        patients=folder / "cohort" / "patients.csv",
        folds=folder / "cohort" / "folds.csv",
    )
    train_fold(
        cohort="c", encoder="none", model="m", method=method, fold=fold, overrides={}, track=track,
        settings=replace(SETTINGS, **options),
        inputs=Inputs(
            folder / "cohort" / "patients.csv",
            folder / "cohort" / "folds.csv",
            folder / "genomics.h5",
            clinical=folder / "clinical" / "clinical.csv" if clinical else None,
        ),
        out=folder / "run", synthetic=True, device="cpu", threads=1, bags="disk",
    )  # fmt: skip
    return folder / "run"


def learnt(run: Path) -> tuple[bytes, list[float], pd.DataFrame]:
    """Return weights and scalers, interval edges, and the history of training."""
    history = pd.read_csv(run / "history.csv").drop(columns=["c_index_test", "seconds"])
    return (
        (run / "model.safetensors").read_bytes(),
        json.loads((run / "run.json").read_text())["interval_edges"],
        history,
    )


def same(first: Path, second: Path) -> bool:
    (weights, edges, history), (other_weights, other_edges, other_history) = learnt(first), learnt(second)
    return weights == other_weights and edges == other_edges and history.equals(other_history)


OPTIONS: dict[str, dict[str, Any]] = {
    "snn": {"method": "snn", "clinical": False},
    "snn-clinical-inner-weighted": {"method": "snn", "inner": 0.25, "sampling": "weighted"},
    "snntrans-native": {"method": "snntrans", "track": "native"},
    "cox-clinical-genomics-inner": {"method": "cox-clinical-genomics", "inner": 0.25},
    "cox-clinical": {"method": "cox-clinical", "intervals": 3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_signal_in_test_patients_alone_is_not_learnt(tmp_path: Path, tables: Tables, options: dict[str, Any]) -> None:
    before = run(tables, tmp_path / "before", **options)
    after = run(tables.planted(), tmp_path / "after", **options)
    assert same(before, after)
    # The signal was there to be seen: predictions of the same model change with what it reads of the test patients.
    risks = [pd.read_csv(one / "predictions.csv")["risk"] for one in (before, after)]
    assert not np.allclose(*risks)


@pytest.mark.parametrize(("stratify", "intervals_from"), [("censorship", "train"), ("time", "cohort")])
def test_held_out_patients_change_nothing(tmp_path: Path, tables: Tables, stratify: str, intervals_from: str) -> None:
    options = {"method": "snn", "held_out": True, "stratify": stratify, "intervals_from": intervals_from}
    before, after = (
        run(one, tmp_path / name, **options) for name, one in (("before", tables), ("after", tables.planted()))
    )
    assert same(before, after)
    for name in ("patients.csv", "folds.csv"):
        texts = [(tmp_path / side / "cohort" / name).read_text() for side in ("before", "after")]
        assert texts[0] == texts[1]
        assert not any(patient in texts[0] for patient in tables.outcomes["patient_id"][TESTED])
    predictions = [pd.read_csv(one / "predictions.csv") for one in (before, after)]
    pd.testing.assert_frame_equal(*predictions)


def test_the_signal_is_learnt_where_patients_with_it_are_trained_on(tmp_path: Path, tables: Tables) -> None:
    """The check of the checks: in another fold, which trains on these patients, everything changes."""
    assert not same(*(run(one, tmp_path / str(i), "snn", fold=1) for i, one in enumerate((tables, tables.planted()))))


def test_intervals_of_the_cohort_are_the_one_exception(tmp_path: Path, tables: Tables) -> None:
    options = {"method": "snn", "intervals_from": "cohort"}
    before, after = (run(one, tmp_path / str(i), **options) for i, one in enumerate((tables, tables.planted())))
    assert learnt(before)[1] != learnt(after)[1]
