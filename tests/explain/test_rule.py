"""The target `explain`, planned as Snakemake would run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccl.demo import DemoSettings
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
