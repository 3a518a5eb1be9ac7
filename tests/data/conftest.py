"""A small cohort in the files that training reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ccl.config.sections import TrainSettings
from ccl.data.fold import Inputs
from ccl.io.files import write_table
from ccl.io.formats import Clusters, Family, Genomics
from ccl.train.stage import train_fold

torch.set_num_threads(1)

INTERVALS = {"intervals": 4, "intervals_from": "train"}

SETTINGS = TrainSettings(epochs=2, lr=1e-3, weight_decay=1e-5, sampling="uniform", seeds=(0,), **INTERVALS)


@dataclass(frozen=True)
class Cohort:
    """Patients P00, P01, ...; in fold 0 every fourth is a test patient, in fold 1 the ones after them."""

    outcomes: pd.DataFrame
    folds: pd.DataFrame
    genomics: Genomics
    clusters: Clusters

    def train(
        self, folder: Path, *, model: str = "ccl", fold: int = 0, overrides=None, track="unified", **settings
    ) -> Path:
        """Write the files, train, and return the folder of the run."""
        train_fold(**self.arguments(folder, model=model, fold=fold, overrides=overrides, track=track, **settings))
        return folder / "run"

    def arguments(
        self, folder: Path, *, model: str = "ccl", fold: int = 0, overrides=None, track="unified", **settings
    ) -> dict:
        """Write the files and return what :func:`train_fold` is called with."""
        folder.mkdir(parents=True, exist_ok=True)
        write_table(folder / "patients.csv", self.outcomes)
        write_table(folder / "folds.csv", self.folds)
        self.genomics.write(folder / "genomics.h5")
        self.clusters.write(folder / "k.h5")
        return dict(
            cohort="toy",
            encoder="resnet50" if model == "ccl" else "none",
            model=model,
            method=model,
            fold=fold,
            overrides=overrides or {},
            settings=replace(SETTINGS, **settings),
            track=track,
            inputs=Inputs(
                folder / "patients.csv",
                folder / "folds.csv",
                folder / "genomics.h5",
                folder / "k.h5" if model == "ccl" else None,
            ),
            out=folder / "run",
            synthetic=True,
            device="cpu",
            threads=1,
            bags="disk",
        )


@pytest.fixture(scope="session")
def make_cohort() -> Callable[..., Cohort]:
    """Return a function that draws a cohort whose first gene and first cluster tell the risk."""

    def make(count: int = 20, seed: int = 0) -> Cohort:
        rng = np.random.default_rng(seed)
        patients = tuple(f"P{i:02d}" for i in range(count))
        hazard = rng.normal(size=count)
        a, b = rng.normal(size=(count, 4)), rng.normal(size=(count, 3))
        centres = rng.normal(size=(count, 3, 8))
        a[:, 0] = hazard
        centres[:, 0, 0] += hazard
        outcomes = pd.DataFrame(
            {
                "patient_id": patients,
                "months": np.exp(3 - hazard + 0.1 * rng.normal(size=count)).round(3),
                "censorship": (np.arange(count) % 5 == 4).astype(int),
            }
        )
        folds = pd.DataFrame(
            [
                (fold, patient, "test" if number % 4 == fold else "train")
                for fold in range(2)
                for number, patient in enumerate(patients)
            ],
            columns=["fold", "patient_id", "role"],
        )
        families = (
            Family("one", tuple(f"A{i}_rnaseq" for i in range(4)), a.astype(np.float32)),
            Family("two", tuple(f"B{i}_cnv" for i in range(3)), b.astype(np.float32)),
        )
        clusters = Clusters(
            patients, centres.astype(np.float32), np.full((count, 3), 5), {}, "resnet50", "random", left_out={}
        )
        return Cohort(outcomes, folds, Genomics(patients, families), clusters)

    return make


@pytest.fixture
def cohort(make_cohort) -> Cohort:
    """Twenty patients: fifteen to train on and five to test, four of five with an observed death."""
    return make_cohort()
