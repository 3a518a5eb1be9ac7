"""Explanations and components of a model that was trained on incomplete patients."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ccl.components.stage import find_components
from ccl.config.sections import ExplainSettings
from ccl.data.tables import read_tables
from ccl.evaluate.folds import read_folds
from ccl.explain.cases import choose_cases
from ccl.explain.explanation import explain_patient
from ccl.io.errors import ConfigError
from ccl.train.reload import check_tables
from tests.data.conftest import cohort, make_cohort  # noqa: F401 - fixtures
from tests.data.incomplete import Project

COMPLETE = {"P12", "P16"}
"""Of the test patients of fold 0, those who lack nothing."""


@pytest.fixture
def project(tmp_path, cohort):  # noqa: F811
    return Project(tmp_path, cohort, slides=("P00", "P01"), genes=("P04", "P05"), cnv=("P08",))


def train(project: Project, method: str) -> Path:
    return project.train(method, overrides={"width": 16}, incomplete="keep")


@pytest.mark.parametrize("method", ["ccl", "mcat"])
def test_only_complete_patients_are_explained_as_they_were_predicted(project, method):
    runs = read_folds([train(project, method)])
    files = {"clusters": None, "slides": None, "manifests": (), **project.files(method)}
    tables = read_tables(runs[0].reads, **files)
    cases = choose_cases(runs, ExplainSettings((), 4))
    assert {case.patient for case in cases} == COMPLETE
    for case in cases:
        check_tables(case.run, [case.patient], tables)
        explain_patient(case, tables)  # refuses a risk that differs from the stored one


def test_an_incomplete_patient_by_name_is_refused(project):
    runs = read_folds([train(project, "ccl")])
    with pytest.raises(ConfigError, match=r"(?s)a patient to explain is incomplete.*P00 \(no slides\).*name other"):
        choose_cases(runs, ExplainSettings(("P00", "P12"), 1))


def test_components_are_of_complete_patients(project):
    run = train(project, "ccl")
    find_components(runs=[run], out=project.folder / "components", **project.files("ccl"))
    assert set(pd.read_csv(project.folder / "components" / "components.csv")["patient_id"]) == COMPLETE
