"""The data of a fold: scaling, and patients who are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ccl.data.fold import Inputs, load_fold
from ccl.data.scaling import Scaler
from ccl.io.covariates import Clinical, Covariate
from ccl.io.errors import ConfigError, InputError, ModelError
from ccl.io.files import write_table
from ccl.io.formats import Family, Genomics
from ccl.methods import get_method

from .conftest import INTERVALS


@pytest.fixture
def load(tmp_path):
    def load(cohort, *, model="ccl", fold=0, **settings):
        write_table(tmp_path / "patients.csv", cohort.outcomes)
        write_table(tmp_path / "folds.csv", cohort.folds)
        cohort.genomics.write(tmp_path / "genomics.h5")
        cohort.clusters.write(tmp_path / "k.h5")
        inputs = Inputs(tmp_path / "patients.csv", tmp_path / "folds.csv", tmp_path / "genomics.h5", tmp_path / "k.h5")
        return load_fold(get_method(model).reads, inputs, fold, **INTERVALS | settings)

    return load


def with_values(cohort, family, values):
    changed = [Family(f.name, f.columns, values if f.name == family else f.values) for f in cohort.genomics.families]
    return replace(cohort, genomics=Genomics(cohort.genomics.patients, tuple(changed)))


def test_a_fold_has_its_patients_in_order_with_their_own_rows(cohort, load):
    fold = load(cohort, fold=1)
    assert fold.test.patients == ("P01", "P05", "P09", "P13", "P17")
    assert len(fold.train.patients) == 15
    rows = [int(name[1:]) for name in fold.test.patients]
    np.testing.assert_array_equal(fold.test.centres.numpy(), cohort.clusters.centres[rows])
    np.testing.assert_allclose(fold.test.months, cohort.outcomes["months"][rows])
    raw = fold.test.genomics[0].numpy() * fold.scalers.families["one"].scale + fold.scalers.families["one"].mean
    np.testing.assert_allclose(raw, cohort.genomics.families[0].values[rows], rtol=1e-5, atol=1e-6)


def test_training_columns_have_mean_zero_and_deviation_one(cohort, load):
    for values in load(cohort).train.genomics:
        np.testing.assert_allclose(values.mean(dim=0), 0, atol=1e-6)
        np.testing.assert_allclose(values.std(dim=0, correction=0), 1, atol=1e-5)


def test_a_missing_value_becomes_the_training_mean(cohort, load):
    values = cohort.genomics.families[0].values.copy()
    values[[0, 1], 2] = np.nan  # P00 is tested in fold 0, P01 trains
    fold = load(with_values(cohort, "one", values))
    assert fold.test.genomics[0][0, 2] == 0
    assert fold.train.genomics[0][0, 2] == 0
    train = [i for i in range(20) if i % 4 and i != 1]
    assert fold.scalers.families["one"].mean[2] == pytest.approx(values[train, 2].mean(), abs=1e-6)


@settings(max_examples=40)
@given(hnp.arrays(np.float32, (6, 3), elements=st.floats(-4e4, 4e4, width=32) | st.just(np.float32(np.nan))))
def test_scaling_is_finite_whatever_the_columns(values):
    values[:, 0] = 7.5  # constant
    values[:, 1] = np.nan  # never measured
    scaled = Scaler.fit(values[:4]).apply(values)
    assert np.isfinite(scaled).all()
    assert (scaled[:, :2] == 0).all()


def test_huge_expression_values_survive(cohort, load):
    values = cohort.genomics.families[0].values.copy()
    values[1, 0] = 36_900
    assert all(torch.isfinite(family).all() for family in load(with_values(cohort, "one", values)).train.genomics)


def test_edges_come_from_training_patients_or_on_demand_from_the_cohort(cohort, load):
    months = cohort.outcomes["months"].to_numpy()
    died = cohort.outcomes["censorship"].to_numpy() == 0
    training = np.arange(20) % 4 != 0
    for source, chosen in (("train", training & died), ("cohort", died)):
        expected = np.quantile(months[chosen], [0.25, 0.5, 0.75])
        np.testing.assert_allclose(load(cohort, intervals_from=source).edges[1:-1], expected)


def test_patients_who_lack_a_modality_are_left_out_with_the_reason(cohort, load):
    keep = [i for i in range(20) if i not in (4, 5)]
    clusters = replace(
        cohort.clusters,
        patients=tuple(cohort.clusters.patients[i] for i in keep),
        centres=cohort.clusters.centres[keep],
        sizes=cohort.clusters.sizes[keep],
        left_out={"P04": "3 patches"},
    )
    families = tuple(Family(f.name, f.columns, f.values[1:]) for f in cohort.genomics.families)
    partial = replace(cohort, clusters=clusters, genomics=Genomics(cohort.genomics.patients[1:], families))
    fold = load(partial)
    assert fold.left_out == {"P00": "no row in the omics tables", "P04": "3 patches", "P05": "no slides"}
    assert not set(fold.left_out) & {*fold.train.patients, *fold.test.patients}
    assert (len(fold.train.patients), len(fold.test.patients)) == (14, 3)
    # A method that reads no slides needs none.
    assert load(partial, model="snn").left_out == {"P00": "no row in the omics tables"}


def test_a_side_without_patients_is_refused(cohort, load):
    tested = cohort.folds.query("fold == 0 and role == 'test'")["patient_id"].tolist()
    keep = [i for i, name in enumerate(cohort.genomics.patients) if name not in tested]
    families = tuple(Family(f.name, f.columns, f.values[keep]) for f in cohort.genomics.families)
    partial = replace(cohort, genomics=Genomics(tuple(cohort.genomics.patients[i] for i in keep), families))
    with pytest.raises(ModelError, match=r"no test patient[\s\S]*P00: no row in the omics tables"):
        load(partial)


def test_an_unknown_fold_is_refused(cohort, load):
    with pytest.raises(ConfigError, match="0, 1"):
        load(cohort, fold=7)


@pytest.mark.parametrize("missing", ["genomics", "clusters"])
def test_a_method_without_what_it_reads_is_refused(tmp_path, cohort, load, missing):
    load(cohort)  # writes the files
    paths = {"genomics": tmp_path / "genomics.h5", "clusters": tmp_path / "k.h5", missing: None}
    inputs = Inputs(tmp_path / "patients.csv", tmp_path / "folds.csv", **paths)
    with pytest.raises(ConfigError, match=f"give --{missing}"):
        load_fold(get_method("ccl").reads, inputs, 0, **INTERVALS)


def test_a_damaged_file_is_refused_by_name(tmp_path, cohort, load):
    load(cohort)
    (tmp_path / "k.h5").write_bytes(b"not HDF5")
    inputs = Inputs(tmp_path / "patients.csv", tmp_path / "folds.csv", tmp_path / "genomics.h5", tmp_path / "k.h5")
    with pytest.raises(InputError, match=r"k\.h5"):
        load_fold(get_method("ccl").reads, inputs, 0, **INTERVALS)


def test_held_out_patients_are_stratified_and_neither_trained_on_nor_tested(cohort, load):
    whole, fold = load(cohort), load(cohort, inner=0.3)
    # Of fifteen training patients three are censored.
    assert (len(fold.train.patients), len(fold.inner.patients)) == (10, 5)
    assert sorted([*fold.train.patients, *fold.inner.patients]) == sorted(whole.train.patients)
    assert fold.test.patients == whole.test.patients
    assert fold.inner.censorship.sum() == 1
    assert whole.inner is None


def test_held_out_patients_influence_neither_scaler_nor_interval(cohort, load):
    before = load(cohort, inner=0.3)
    rows = [int(name[1:]) for name in before.inner.patients]
    values = cohort.genomics.families[0].values.copy()
    values[rows] = 1000
    outcomes = cohort.outcomes.copy()
    outcomes.loc[rows, "months"] += 500
    after = load(with_values(replace(cohort, outcomes=outcomes), "one", values), inner=0.3)
    assert after.inner.patients == before.inner.patients
    np.testing.assert_array_equal(after.edges, before.edges)
    np.testing.assert_array_equal(after.scalers.families["one"].mean, before.scalers.families["one"].mean)
    assert after.inner.genomics[0].max() > 100


def test_all_methods_and_no_two_folds_hold_out_the_same_patients(cohort, load):
    drawn = load(cohort, inner=0.3).inner.patients
    assert load(cohort, model="snn", inner=0.3).inner.patients == drawn
    assert set(load(cohort, fold=1, inner=0.3).inner.patients) != set(drawn)


def load_covariates(folder, cohort, table, covariates, **settings):
    write_table(folder / "patients.csv", cohort.outcomes)
    write_table(folder / "folds.csv", cohort.folds)
    Clinical(table, covariates, {}).write(folder / "clinical.csv")
    inputs = Inputs(folder / "patients.csv", folder / "folds.csv", None, None, clinical=folder / "clinical.csv")
    return load_fold(("clinical",), inputs, 0, **INTERVALS | settings)


AGE, SEX = Covariate("age", "numeric"), Covariate("sex", "categorical", ("female", "male"), indicator=True)


@pytest.fixture
def covariates(cohort):
    """Age and sex of all patients; sex is not known of P01."""
    patients = list(cohort.outcomes["patient_id"])
    table = pd.DataFrame({"age": 40 + 1.5 * np.arange(20), "sex": ["female", "male"] * 10}, index=patients)
    table.loc["P01", "sex"] = np.nan
    return table


def test_covariates_are_scaled_by_the_training_patients(tmp_path, cohort, covariates):
    fold = load_covariates(tmp_path, cohort, covariates, (AGE, SEX))
    assert fold.covariates == ("age", "sex: male", "sex: missing")
    assert fold.shape.clinical == 3
    np.testing.assert_allclose(fold.train.clinical.mean(dim=0), 0, atol=1e-6)
    ages = covariates["age"][[patient not in fold.test.patients for patient in covariates.index]]
    np.testing.assert_allclose(
        fold.test.clinical[:, 0],
        (covariates["age"][list(fold.test.patients)] - ages.mean()) / ages.std(ddof=0),
        rtol=1e-5,
    )
    p01 = fold.train.clinical[fold.train.patients.index("P01")]
    assert p01[1] == 0  # the training mean
    assert p01[2] == fold.train.clinical[:, 2].max() > 0


def test_a_patient_without_a_row_in_the_clinical_table_is_left_out(tmp_path, cohort, covariates):
    fold = load_covariates(tmp_path, cohort, covariates.drop(index=["P00", "P03"]), (AGE, SEX))
    assert fold.left_out == dict.fromkeys(("P00", "P03"), "no row in the clinical table")
    assert len(fold.train.patients) == 14
    assert len(fold.test.patients) == 4


@pytest.mark.parametrize(
    ("column", "value", "found"), [("age", 50.0, "1 value among 15"), ("sex", np.nan, "0 values among 15")]
)
def test_a_covariate_that_says_nothing_of_the_training_patients_is_refused(
    tmp_path, cohort, covariates, column, value, found
):
    training = [patient for number, patient in enumerate(covariates.index) if number % 4]
    covariates.loc[training, column] = value
    with pytest.raises(ModelError, match="constant, or missing for all training patients") as error:
        load_covariates(tmp_path, cohort, covariates, (AGE, SEX))
    assert f"clinical: covariates: {column}, fold 0" in str(error.value)
    assert found in str(error.value)
    assert "take the covariate out" in str(error.value)
