"""The target `explain`, planned as Snakemake would run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.workflow.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    make_demo(tmp_path / "bags", DemoSettings(patients=6, seed=0, bags=True, shuffle_risk=False))
    here = Workspace(tmp_path)
    del here.config["cohorts"]["tiny"], here.config["cohorts"]["bags"]["folds"]
    return here


def test_models_that_can_be_explained_are(workspace: Workspace) -> None:
    workspace.set("models", {"ccl": {}, "snn": {}, "meanmil": {}, "wide": {"method": "attmil"}})
    jobs = workspace.planned("explain")
    assert jobs["explain_model"] == 2  # ccl and wide
    assert jobs["train"] == 4  # two folds each; the others are not needed


def test_without_such_a_model_the_target_says_so(workspace: Workspace) -> None:
    workspace.set("models", {"snn": {}})
    result = workspace.snakemake("explain", "--dry-run")
    assert result.returncode == 1
    assert "There is nothing to explain" in result.stdout


def test_the_report_explains_two_patients_of_each_ccl_model(workspace: Workspace) -> None:
    workspace.set("models", {"ccl": {}, "released": {"method": "ccl", "preset": "released"}, "attmil": {}})
    assert workspace.planned()["explain_model"] == 2  # not attmil
    shown = workspace.snakemake("--dry-run", "--printshellcmds").stdout
    assert shown.count("--count 2") == 2
    assert shown.count("--explained results/bags/explain/planted/") == 2


@pytest.mark.parametrize(("key", "value"), [("explain.count", 0), ("models", {"snn": {}, "attmil": {}})])
def test_where_nobody_is_explained_the_report_goes_without(workspace: Workspace, key: str, value: Any) -> None:
    workspace.set(key, value)
    jobs = workspace.planned()
    assert (jobs["explain_model"], jobs["report"]) == (0, 1)
    assert "--explained" not in workspace.snakemake("--dry-run", "--printshellcmds").stdout


def test_asked_to_explain_nobody_the_target_says_so(workspace: Workspace) -> None:
    workspace.set("explain.count", 0)
    result = workspace.snakemake("explain", "--dry-run")
    assert result.returncode == 1
    assert "`explain: count` of 1 or more, or `explain: patients`" in result.stdout


def test_named_patients_are_explained_where_they_are(workspace: Workspace) -> None:
    workspace.config["cohorts"]["again"] = workspace.config["cohorts"]["bags"] | {"slides": "bags/others.csv"}
    sheet = (workspace.folder / "bags" / "slides.csv").read_text()
    (workspace.folder / "bags" / "others.csv").write_text(
        sheet.replace("DEMO-002,", "OTHER,", 1).replace(",DEMO-002", ",OTHER")
    )
    workspace.set("explain.patients", ["DEMO-001", "DEMO-002"])
    shown = workspace.snakemake("explain", "--dry-run", "--printshellcmds").stdout
    assert shown.count("--patients DEMO-001") == 2
    assert shown.count("--patients DEMO-002") == 1


def test_a_named_patient_of_no_cohort_is_refused(workspace: Workspace) -> None:
    workspace.set("explain.patients", ["DEMO-001", "NOBODY"])
    result = workspace.snakemake("--dry-run")
    assert result.returncode == 1
    assert "`explain: patients` names NOBODY; no cohort has such a patient with a slide." in result.stdout
