"""Trained toy cohorts and their bundles."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ccl.config.sections import BundleSettings, PredictSettings
from ccl.data.fold import Inputs
from ccl.io.covariates import Clinical, Covariate
from ccl.methods import get_method
from ccl.predict.bundle import make_bundle
from ccl.predict.stage import predict_patients
from ccl.train.stage import train_fold
from tests.data.conftest import Cohort, cohort, make_cohort  # noqa: F401 - fixtures
from tests.data.test_bags import write_bags

SMALL: dict[str, dict[str, Any]] = {
    "ccl": {"width": 16},
    "snn": {"width": 16},
    "attmil": {"width": 8, "hidden": 8},
    "mcat": {"width": 16},
}


AGE, STAGE = Covariate("age", "numeric", unit="years"), Covariate("stage", "categorical", ("I", "II", "III"))


class Project:
    """A cohort's files in `folder`, and the models trained on them."""

    def __init__(self, folder: Path, patients: Cohort) -> None:
        self.folder, self.cohort = folder, patients
        write_bags(folder, patients)
        self.covariates(lambda table: table)

    def files(self, method: str) -> dict[str, Any]:
        """Return the options of `ccl predict` that name what a method reads."""
        reads = get_method(method).reads
        files: dict[str, Any] = {"genomics": self.folder / "genomics.h5"} if "genomics" in reads else {}
        if "clusters" in reads:
            files["clusters"] = self.folder / "k.h5"
        if "clinical" in reads:
            files["clinical"] = self.folder / "clinical.csv"
        if "bags" in reads:
            files |= {"slides": self.folder / "slides.csv", "manifests": (self.folder / "manifest.tsv",)}
        return files

    def inputs(self, method: str) -> Inputs:
        files = {"genomics": None, **self.files(method)}
        return Inputs(self.folder / "patients.csv", self.folder / "folds.csv", **files)

    def train(self, method: str, fold: int, *, seeds: tuple[int, ...] = (0,)) -> Path:
        """Train one fold, and return its folder."""
        arguments = self.cohort.arguments(
            self.folder, model=method, fold=fold, overrides=SMALL.get(method), seeds=seeds
        )
        out = self.folder / method / f"fold{fold}"
        train_fold(**arguments | {"inputs": self.inputs(method), "out": out})
        return out

    def bundle(self, *runs: Path) -> Path:
        """Bundle folds of one model."""
        method = json.loads((runs[0] / "run.json").read_text())["method"]
        out = self.folder / f"bundle of {method}"
        settings = BundleSettings("mine", "to be tested")
        make_bundle(runs=runs, inputs=self.inputs(method), out=out, settings=settings, preprocessing={})
        return out

    def predict(self, bundle: Path, *, months: Sequence[float] = (), **options: Any) -> pd.DataFrame:
        """Predict the project's own patients, or those in the files of `options`; return ``risk.csv``."""
        method = json.loads((bundle / "bundle.json").read_text())["method"]
        out = self.folder / "predictions"
        fixed = {"out": out, "settings": PredictSettings(tuple(months)), "device": "cpu", "threads": 1}
        predict_patients(bundle=bundle, **self.files(method) | fixed | options)
        return pd.read_csv(out / "risk.csv", dtype={"patient_id": str}, keep_default_na=False, na_values=[""])

    def covariates(self, change: Callable[[pd.DataFrame], pd.DataFrame], *coding: Covariate) -> Path:
        """Write age and stage of the cohort's patients, changed as a table."""
        patients = self.cohort.outcomes["patient_id"]
        numbers = range(len(patients))
        table = pd.DataFrame(
            {"age": [50.0 + number * 7 % 20 for number in numbers], "stage": [STAGE.levels[n % 3] for n in numbers]},
            index=patients,
        )
        Clinical(change(table), coding or (AGE, STAGE), {}).write(self.folder / "clinical.csv")
        return self.folder / "clinical.csv"

    def omics(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
        """Write the cohort's omics, each family changed as a table of patients and columns, beside the others."""
        families = []
        for family in self.cohort.genomics.families:
            table = pd.DataFrame(family.values, index=list(self.cohort.genomics.patients), columns=family.columns)
            table = change(table)
            if len(table.columns):
                families.append(replace(family, columns=tuple(table.columns), values=table.to_numpy("float32")))
        path = self.folder / "changed.h5"
        replace(self.cohort.genomics, patients=tuple(table.index), families=tuple(families)).write(path)
        return path


@pytest.fixture
def project(tmp_path: Path, cohort: Cohort) -> Project:  # noqa: F811
    return Project(tmp_path, cohort)


@pytest.fixture
def snn(project: Project) -> Path:
    """The bundle of two folds with two seeds each."""
    return project.bundle(*(project.train("snn", fold, seeds=(0, 1)) for fold in range(2)))
