"""Training with covariates: from the file of the clinical stage to predictions and stored networks."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ccl.data.patients import read_patients
from ccl.data.tables import read_tables
from ccl.io.covariates import Clinical, Covariate
from ccl.methods import get_method
from ccl.train.stage import train_fold
from ccl.train.store import load_model


@pytest.fixture
def arguments(tmp_path, cohort):
    """Train with an age that tells death, and a sex that tells nothing; one age is missing."""
    patients = list(cohort.outcomes["patient_id"])
    rank = cohort.outcomes["months"].rank().to_numpy()
    sex = ["fm"[number % 2] for number in range(len(patients))]
    table = pd.DataFrame({"age": 90 - rank, "sex": sex}, index=patients)
    table.loc[patients[1], "age"] = np.nan
    clinical = Clinical(table, (Covariate("age", "numeric"), Covariate("sex", "categorical", ("f", "m"))), {})
    clinical.write(tmp_path / "clinical.csv")

    def given(**options):
        made = cohort.arguments(tmp_path / "run", **options)
        return {**made, "inputs": replace(made["inputs"], clinical=tmp_path / "clinical.csv")}

    return given


@pytest.mark.parametrize("model", ["snn", "ccl", "cox-genomics", "cox-clinical"])
def test_a_stored_model_with_covariates_gives_the_risks_of_the_last_epoch(arguments, model):
    options = {"overrides": {"width": 16}} if model in ("snn", "ccl") else {}
    made = arguments(model=model, seeds=(0, 7), **options)
    train_fold(**made)
    out, inputs = made["out"], made["inputs"]
    facts = json.loads((out / "run.json").read_text())
    assert facts["covariates"] == ["age", "sex: m"]
    last = pd.read_csv(out / "predictions.csv")
    last = last[last["epoch"] == last["epoch"].max()]
    reads = get_method(model, clinical=True).reads
    tables = read_tables(
        reads, genomics=inputs.genomics, clusters=inputs.clusters, slides=None, manifests=(), clinical=inputs.clinical
    )
    for seed in (0, 7):
        network, scalers = load_model(out / "model.safetensors", seed)
        own = last[last["seed"] == seed]
        data = read_patients(tables, list(own["patient_id"]))
        with torch.no_grad():
            logits = torch.cat([network(batch).logits[0] for batch in scalers.scale(data).batches()])
        risk = -torch.cumprod(1 - torch.sigmoid(logits), dim=1).sum(dim=1)
        np.testing.assert_allclose(risk, own["risk"], rtol=1e-5)


def test_the_imputer_sees_training_patients_alone(arguments):
    made = arguments(model="cox-clinical")
    train_fold(**made)
    folds = pd.read_csv(made["inputs"].folds)
    trained = folds[(folds["fold"] == 0) & (folds["role"] == "train")]["patient_id"]
    clinical = Clinical.read(made["inputs"].clinical)
    _, scalers = load_model(made["out"] / "model.safetensors", 0)
    assert scalers.clinical.mean[0] == pytest.approx(clinical.table.loc[trained, "age"].mean())
