"""New patients with covariates."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ccl.io.errors import ConfigError, InputError
from ccl.predict.card import read_card
from tests.predict.conftest import AGE, STAGE

METHODS = ["cox-clinical", "cox-clinical-genomics"]


@pytest.mark.parametrize("method", METHODS)
def test_a_fold_predicts_its_test_patients_as_in_training(project, method):
    run = project.train(method, 0)
    stored = pd.read_csv(run / "predictions.csv").set_index("patient_id")["risk"]
    risks = project.predict(project.bundle(run)).set_index("patient_id")["risk"]
    assert len(risks) == 20
    np.testing.assert_allclose(risks[stored.index], stored, rtol=1e-5)


def test_a_bundle_says_how_its_covariates_are_coded(project):
    bundle = project.bundle(project.train("cox-clinical", 0))
    card = read_card(bundle)
    assert card.reads == ("clinical",)
    assert [each["name"] for each in card.covariates] == ["age", "stage"]
    assert card.covariates[1]["levels"] == ["I", "II", "III"]


def test_a_bundle_without_covariates_does_not_speak_of_them(project, snn):
    assert "covariates" not in json.loads((snn / "bundle.json").read_text())
    assert read_card(snn).reads == ("genomics",)


def test_covariates_are_found_by_name_in_any_order_and_missing_ones_are_told(project):
    bundle = project.bundle(project.train("cox-clinical", 0))
    whole = project.predict(bundle).set_index("patient_id")

    def change(table):
        table.loc["P02", "age"] = np.nan
        return table.assign(weight=70.0).drop(index="P01")

    project.covariates(change, STAGE, replace(AGE, name="weight"), replace(AGE, unit="a"))
    risks = project.predict(bundle).set_index("patient_id")
    assert set(risks.index) == set(whole.index) - {"P01"}
    others = risks.index.drop("P02")
    np.testing.assert_allclose(risks["risk"][others], whole["risk"][others], rtol=1e-6)
    assert "no value of age, the training mean taken" in risks["warnings"]["P02"]
    assert "no value" not in risks["warnings"]["P03"]


def test_a_patient_without_covariates_is_left_out(project):
    bundle = project.bundle(project.train("cox-clinical-genomics", 0))
    project.covariates(lambda table: table.drop(index="P01"))
    assert "P01" not in set(project.predict(bundle)["patient_id"])
    left_out = pd.read_csv(project.folder / "predictions" / "left_out.csv").set_index("patient_id")["reason"]
    assert left_out.to_dict() == {"P01": "no row in the clinical table"}


@pytest.mark.parametrize(
    ("coding", "found"),
    [
        ((AGE,), "no such covariate"),
        ((AGE, replace(STAGE, levels=("I", "III", "II"))), "categorical, levels I, III, II"),
        ((AGE, replace(STAGE, kind="ordinal")), "ordinal, levels I, II, III"),
        ((AGE, replace(STAGE, indicator=True)), "with an indicator"),
    ],
)
def test_another_coding_is_refused(project, coding, found):
    bundle = project.bundle(project.train("cox-clinical", 0))
    project.covariates(lambda table: table, *coding)
    with pytest.raises(InputError, match="a covariate is not coded as in the bundle") as error:
        project.predict(bundle)
    assert "clinical: covariates: stage" in str(error.value)
    assert found in str(error.value)


def test_the_file_of_covariates_has_to_be_given(project):
    bundle = project.bundle(project.train("cox-clinical", 0))
    with pytest.raises(ConfigError, match="give --clinical"):
        project.predict(bundle, clinical=None)


@pytest.mark.parametrize("change", [{"age": 1.0}, {"stage": "I"}])
def test_other_covariates_than_those_of_the_training_are_refused(project, change):
    run = project.train("cox-clinical", 0)
    (column,) = change

    def other(table):
        table.loc[table.index[5:12], column] = change[column]
        return table

    project.covariates(other)
    with pytest.raises(InputError, match="different values of covariates"):
        project.bundle(run)


def test_other_names_of_covariates_than_those_of_the_training_are_refused(project):
    run = project.train("cox-clinical", 0)
    project.covariates(lambda table: table, AGE)
    with pytest.raises(InputError, match="different covariates"):
        project.bundle(run)
