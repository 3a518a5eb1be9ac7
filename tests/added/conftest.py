"""Cohorts whose survival follows an age, a stage and a hidden factor as strongly as a test chooses."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ccl.added.patients import select
from ccl.io.covariates import Clinical, Covariate

COVARIATES = (
    Covariate("age", "numeric", unit="years"),
    Covariate("stage", "ordinal", ("I", "II", "III")),
    Covariate("site", "categorical", ("left", "right"), indicator=True),
)


class Drawn:
    """A cohort, its covariates, and the factor that only a model may know."""

    def __init__(self, seed=0, n=200, *, age=0.6, hidden=0.8, folds=5, missing=0.1):
        rng = np.random.default_rng(seed)
        names = [f"P{i:04d}" for i in range(n)]
        stage, x = rng.integers(0, 3, n), rng.normal(size=(n, 2))
        death = rng.exponential(40 * np.exp(-age * x[:, 0] - 0.5 * (stage - 1) - hidden * x[:, 1]))
        end = rng.uniform(10, 120, n)
        self.hidden, self.age = x[:, 1], x[:, 0]
        self.outcome = pd.DataFrame(
            {
                "patient_id": names,
                "fold": rng.permutation(n) % folds,
                "months": np.minimum(death, end),
                "censorship": (end < death).astype(int),
            }
        )
        table = pd.DataFrame(
            {
                "age": 60 + 10 * x[:, 0],
                "stage": np.array(["I", "II", "III"])[stage],
                "site": np.where(rng.random(n) < 0.5, "left", "right"),
            },
            index=names,
        )
        self.clinical = Clinical(table.mask(rng.random(table.shape) < missing), COVARIATES, {"warnings": ["careful"]})

    def risks(self, risk, protocol="last"):
        """Rows of risks.csv."""
        return self.outcome.assign(risk=np.asarray(risk, dtype=float), protocol=protocol)

    def patients(self, risk):
        return select(self.risks(risk), self.clinical)[0]


@pytest.fixture
def draw():
    return Drawn


@pytest.fixture
def write(tmp_path):
    """Write an evaluation and a clinical table, and return their paths as options of the stage."""

    def make(drawn, risks, left_out=None):
        folder = tmp_path / "evaluation"
        folder.mkdir()
        pd.concat(risks).to_csv(folder / "risks.csv", index=False)
        facts = dict(cohort="blca", encoder="none", model="ours", method="snn", weights="none", synthetic=True)
        (folder / "evaluation.json").write_text(json.dumps({**facts, "left_out": left_out or {}}))
        drawn.clinical.write(tmp_path / "clinical" / "clinical.csv")
        return {"evaluation": folder, "clinical": tmp_path / "clinical" / "clinical.csv", "out": tmp_path / "out"}

    return make
