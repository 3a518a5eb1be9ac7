"""New patients in the graph: a model is bundled, and a cohort without follow-up is judged by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.workflow.workspace import Workspace, tables

pytestmark = pytest.mark.xdist_group("graph")


IMPORTED, GENES = "results/bags/bundle/planted/ccl", "results/bags/bundle/none/snn"
SLIDES = "results/tiny/bundle/resnet50/ccl"


def newcomers(name: str, **more: Any) -> dict[str, Any]:
    """Return the entry of a demo cohort in the config, as if its patients had no follow-up."""
    entry = {**tables(name), "slides": f"{name}/slides.csv", **more}
    del entry["patients"]
    return entry


@pytest.fixture(scope="module")
def packed(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished workspace's folder in which every model was packed."""
    workspace = Workspace(tmp_path_factory.mktemp("packed") / "a copy")
    shutil.copytree(finished.folder, workspace.folder)
    result = workspace.snakemake("bundle")
    assert result.returncode == 0, result.stdout[-4000:]
    return workspace.folder


def test_a_cohort_without_follow_up_is_judged_by_bundles(packed: Path) -> None:
    workspace = Workspace(packed)
    folders = {"cooperative": IMPORTED, "genes": GENES}
    workspace.config["cohorts"]["new"] = newcomers("bags", features={"planted": "bags/features"}, predict_with=folders)
    new = {"import_features": 1, "genomics": 1, "cluster": 1, "predict_cohort": 2}
    assert workspace.planned("predict") == {**new, "predict": 1}
    result = workspace.snakemake("predict")
    assert result.returncode == 0, result.stdout[-4000:]
    for name in folders:
        results = packed / "results" / "new" / "predict" / name
        risks = pd.read_csv(results / "risk.csv")
        assert len(risks) == 24
        assert np.isfinite(risks["risk"]).all()
        assert risks["warnings"].str.contains("synthetic").all()
        assert json.loads((results / "predict.json").read_text())["networks"] == 2
    workspace.set("predict.months", [6])
    assert workspace.planned("predict") == {"predict_cohort": 2, "predict": 1}


def test_slides_go_through_every_stage_to_a_prediction(packed: Path) -> None:
    workspace = Workspace(packed)
    workspace.config["cohorts"] = {"fresh": newcomers("tiny", predict_with={"ccl": SLIDES})}
    workspace.config["models"] = {}
    stages = {"tissue": 2, "tile": 2, "embed": 2, "gather": 1, "genomics": 1, "cluster": 1, "predict_cohort": 1}
    assert workspace.planned("predict") == {**stages, "predict": 1}
    card = json.loads((packed / SLIDES / "bundle.json").read_text())
    assert card["preprocessing"]["tile"]["mpp"] == 0.5
    assert card["scales"]["target_mpp"] == [0.5]
    result = workspace.snakemake("predict")
    assert result.returncode == 0, result.stdout[-4000:]
    risks = pd.read_csv(packed / "results/fresh/predict/ccl/risk.csv").set_index("patient_id")
    folds = sorted((packed / "results/tiny/train/resnet50/ccl").glob("fold*/predictions.csv"))
    tested = pd.concat([pd.read_csv(path).query("epoch == epoch.max()") for path in folds]).set_index("patient_id")
    # Of two networks one had not learnt from the patient; mean and spread are those of its stored risk and another.
    apart = (risks["risk"] - tested["risk"]).abs()
    assert len(apart) == 8
    np.testing.assert_allclose(apart, risks["spread"], atol=1e-5)


def test_a_second_hospital_is_validated_by_a_model_of_the_same_config(workspace: Workspace) -> None:
    external = {**newcomers("bags"), "patients": "bags/patients.csv", "external": True}
    workspace.config["cohorts"]["south"] = {**external, "predict_with": {"ours": {"cohort": "bags", "model": "snn"}}}
    new = {"cohort": 1, "genomics": 1, "bundle_model": 1, "predict_cohort": 1, "validate_bundle": 1}
    assert workspace.planned("validate") == {**new, "report": 1, "validate": 1}
