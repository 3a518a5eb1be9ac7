"""Training and bundles of models that read vectors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccl.config.sections import BundleSettings, PredictSettings, ValidateSettings
from ccl.data.fold import Inputs, load_fold
from ccl.io.errors import ConfigError, InputError
from ccl.io.formats import Vectors
from ccl.methods import get_method
from ccl.predict.bundle import make_bundle
from ccl.predict.card import read_card
from ccl.predict.stage import predict_patients
from ccl.train.stage import train_fold
from ccl.validate.stage import validate_bundle
from tests.data.conftest import Cohort

WIDTH = 5


class Trained:
    """A cohort whose vectors tell the risk, on scales far apart; the last patient has none, the first lacks a value."""

    def __init__(self, folder: Path, cohort: Cohort, method: str) -> None:
        self.folder, self.method = folder, method
        self.arguments = cohort.arguments(folder, model=method, overrides={} if "cox" in method else {"width": 8})
        risk = cohort.genomics.families[0].values[:-1, 0]
        values = np.random.default_rng(0).normal(size=(len(risk), WIDTH)) * 10.0 ** np.arange(WIDTH)
        values[:, 2] += 500 * risk
        values[0, 1] = np.nan
        columns = tuple(f"v{number}" for number in range(WIDTH))
        patients = cohort.genomics.patients[:-1]
        counts = np.ones(len(patients), np.int64)
        self.vectors = Vectors(patients, values.astype(np.float32), columns, "table", "imported", counts, {})
        self.files = {"vectors": folder / "vectors.h5"}
        if "genomics" in method or "late" in method:
            self.files["genomics"] = folder / "genomics.h5"
        self.vectors.write(folder / "vectors.h5")
        self.inputs = Inputs(folder / "patients.csv", folder / "folds.csv", **{"genomics": None, **self.files})

    def bundle(self) -> Path:
        runs = [self.folder / f"fold{fold}" for fold in (0, 1)]
        for fold, out in enumerate(runs):
            train_fold(**self.arguments | {"inputs": self.inputs, "fold": fold, "out": out, "encoder": "titan"})
        out, settings = self.folder / "bundle", BundleSettings("mine", "to be tested")
        make_bundle(runs=runs, inputs=self.inputs, out=out, settings=settings, preprocessing={"vectors": {}})
        return out

    def predict(self, bundle: Path, **files: Path | None) -> pd.DataFrame:
        out = self.folder / "predictions"
        fixed = {"out": out, "settings": PredictSettings(), "device": "cpu", "threads": 1}
        predict_patients(bundle=bundle, **{**self.files, **files}, **fixed)
        return pd.read_csv(out / "risk.csv", keep_default_na=False).set_index("patient_id")

    def changed(self, **changes: object) -> Path:
        path = self.folder / "changed.h5"
        replace(self.vectors, **changes).write(path)
        return path


@pytest.mark.parametrize("method", ["cox-vectors", "cox-vectors-genomics", "mlp", "late-fusion"])
def test_a_bundle_predicts_patients_with_vectors(tmp_path: Path, cohort: Cohort, method: str) -> None:
    trained = Trained(tmp_path, cohort, method)
    bundle = trained.bundle()
    card = read_card(bundle)
    assert card.encoder_licence == "CC-BY-NC-ND-4.0"
    assert (card.shape["vectors"], card.vector_columns) == (WIDTH, ["v0", "v1", "v2", "v3", "v4"])
    assert "encoder titan" in (bundle / "model_card.md").read_text()
    found = trained.predict(bundle)
    assert "P19" not in found.index
    assert "no vector" in (tmp_path / "predictions" / "left_out.csv").read_text() or method in ("cox-vectors", "mlp")
    # Scaled by the training patients: the risk does not depend on the units, which differ by a factor of 10,000.
    assert found["risk"].std() > 0
    few = trained.vectors.patients[3:6]
    alone = trained.predict(bundle, vectors=trained.changed(patients=few, values=trained.vectors.values[3:6]))
    np.testing.assert_allclose(alone["risk"], found.loc[list(few), "risk"], atol=1e-6)


def test_ridge_finds_the_planted_risk(tmp_path: Path, cohort: Cohort) -> None:
    trained = Trained(tmp_path, cohort, "cox-vectors")
    found = trained.predict(trained.bundle())
    known = dict(zip(cohort.genomics.patients, cohort.genomics.families[0].values[:, 0], strict=True))
    assert np.corrcoef([known[name] for name in found.index], found["risk"])[0, 1] > 0.8


def test_vectors_of_another_kind_are_refused(tmp_path: Path, cohort: Cohort) -> None:
    trained = Trained(tmp_path, cohort, "cox-vectors")
    bundle = trained.bundle()
    for change, expected in (
        ({"values": trained.vectors.values[:, :3], "columns": ("v0", "v1", "v2")}, "width"),
        ({"columns": ("v0", "v1", "v2", "v4", "v3")}, "columns of the vectors"),
        ({"encoder": "prism", "columns": ()}, "encoder"),
    ):
        with pytest.raises(InputError, match=expected):
            trained.predict(bundle, vectors=trained.changed(**change))
    with pytest.raises(ConfigError, match="no file of the vectors stage"):
        trained.predict(bundle, vectors=None)


def test_other_vectors_than_those_of_the_training_make_no_bundle(tmp_path: Path, cohort: Cohort) -> None:
    trained = Trained(tmp_path, cohort, "cox-vectors")
    trained.bundle()
    replace(trained.vectors, values=trained.vectors.values * 2).write(trained.files["vectors"])
    runs, settings = [tmp_path / "fold0", tmp_path / "fold1"], BundleSettings("mine", "to be tested")
    with pytest.raises(InputError, match="different vectors"):
        make_bundle(runs=runs, inputs=trained.inputs, out=tmp_path / "b", settings=settings, preprocessing={})


def test_a_bundle_is_validated(tmp_path: Path, cohort: Cohort) -> None:
    trained = Trained(tmp_path, cohort, "cox-vectors")
    bundle = trained.bundle()
    trained.predict(bundle)
    out = tmp_path / "predictions"
    validate_bundle(
        prediction=out,
        bundle=bundle,
        patients=tmp_path / "patients.csv",
        cohort="south",
        name="ours",
        synthetic=True,
        settings=ValidateSettings(shared_patients="keep"),
        vectors=trained.files["vectors"],
    )
    facts = json.loads((out / "evaluation.json").read_text())
    assert facts["reads"] == ["vectors"]
    assert facts["shift"]["features"]["n"] == 19
    assert facts["shift"]["features"]["median"] == pytest.approx(facts["shift"]["features"]["internal_median"])
    assert facts["concordance"]["c_index"] > 0.8


@pytest.mark.parametrize("incomplete", ["drop", "keep"])
def test_a_patient_without_a_vector_is_left_out_by_name(tmp_path: Path, cohort: Cohort, incomplete: str) -> None:
    inputs = Trained(tmp_path, cohort, "late-fusion").inputs
    reads = get_method("late-fusion").reads
    fold = load_fold(reads, inputs, 0, intervals=4, intervals_from="train", incomplete=incomplete)
    assert fold.left_out == {"P19": "no vector"}
    assert fold.train.vectors is not None
    np.testing.assert_allclose(fold.train.vectors.numpy().mean(axis=0), 0, atol=1e-5)
