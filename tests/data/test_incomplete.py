"""Patients who lack slides or omics tables, as a fold holds them."""

from __future__ import annotations

import numpy as np
import pytest

from ccl.data.fold import load_fold
from ccl.io.errors import ModelError
from ccl.methods import get_method

from .conftest import INTERVALS
from .incomplete import Project

LACKS = {"slides": ("P00", "P01", "P09"), "genes": ("P04", "P05", "P09"), "cnv": ("P06", "P08")}


@pytest.fixture
def load(tmp_path, cohort):
    def load(method, lacks=LACKS, **settings):
        project = Project(tmp_path, cohort, **lacks)
        return load_fold(get_method(method).reads, project.inputs(method), 0, **INTERVALS | settings)

    return load


def everybody(fold):
    return {*fold.train.patients, *fold.test.patients}


@pytest.mark.parametrize("method", ["ccl", "mcat", "cox-multimodal"])
def test_those_who_have_either_modality_are_kept(load, method):
    fold = load(method, incomplete="keep")
    assert fold.left_out == {"P09": "no slides, no row in the omics tables"}
    assert len(everybody(fold)) == 19
    assert fold.lacking == {
        "P00": "no slides", "P01": "no slides", "P04": "no genes", "P05": "no genes", "P06": "no cnv", "P08": "no cnv",
    }  # fmt: skip


def test_masks_say_what_each_patient_has(load):
    fold = load("ccl", incomplete="keep")
    assert fold.test.patients[:3] == ("P00", "P04", "P08")
    assert fold.test.present.slides[:3].tolist() == [False, True, True]
    assert fold.test.present.tables[:3].tolist() == [[True, True], [False, False], [True, False]]
    # Family one has the expression of four genes, family two the copy numbers of three.
    assert fold.shape.tables == ((0,) * 4, (1,) * 3)
    assert not fold.test.genomics[0][1].any()  # a missing table is at the training mean


def test_a_bag_of_nobody_is_empty(load):
    first = next(iter(load("mcat", incomplete="keep").test.batches()))
    assert first.bag.shape[1] == 0
    assert not first.present.slides.any()


def test_scaling_comes_from_those_who_have_the_table(load, cohort):
    fold = load("ccl", incomplete="keep")
    values = cohort.genomics.families[1].values
    has = [row for row in range(20) if row % 4 and f"P{row:02d}" not in {*LACKS["genes"], *LACKS["cnv"]}]
    np.testing.assert_allclose(fold.scalers.families["two"].mean, values[has].mean(axis=0), rtol=1e-5)


def test_complete_cases_are_the_default(load):
    fold = load("ccl")
    assert set(fold.left_out) == {"P00", "P01", "P04", "P05", "P09"}
    died = {name for row, name in enumerate(f"P{number:02d}" for number in range(20)) if row % 5 != 4}
    assert fold.left_out_deaths == len(died & set(fold.left_out))
    assert fold.train.present is None
    assert not fold.shape.incomplete


def test_a_method_of_one_modality_needs_that_one(load):
    assert set(load("attmil", incomplete="keep").left_out) == set(LACKS["slides"])
    genes = load("snn", incomplete="keep")
    assert set(genes.left_out) == set(LACKS["genes"])
    assert genes.lacking == {"P06": "no cnv", "P08": "no cnv"}


@pytest.mark.parametrize("part", ["slides", "genes"])
def test_a_modality_that_no_training_patient_has_is_refused(load, part):
    training = tuple(f"P{number:02d}" for number in range(20) if number % 4)
    with pytest.raises(ModelError, match=f"no training patient has {'slides' if part == 'slides' else 'omics'}"):
        load("ccl", {part: training}, incomplete="keep")
