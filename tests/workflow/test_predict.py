"""New patients in the graph: a model is bundled, and a cohort without follow-up is judged by it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.workflow.workspace import Workspace, tables

pytestmark = pytest.mark.xdist_group("graph")


def newcomers(name: str, **more: Any) -> dict[str, Any]:
    """Return the entry of a demo cohort in the config, as if its patients had no follow-up."""
    entry = {**tables(name), "slides": f"{name}/slides.csv", **more}
    del entry["patients"]
    return entry


@pytest.fixture
def bundled(workspace: Workspace) -> Workspace:
    """A workspace in which every model was packed, and whose imported cohort stands in the config as new patients."""
    result = workspace.snakemake("bundle")
    assert result.returncode == 0, result.stdout[-4000:]
    folders = {"cooperative": "results/bags/bundle/planted/ccl", "genes": "results/bags/bundle/none/snn"}
    fresh = newcomers("bags", features={"planted": "bags/features"}, predict_with=folders)
    workspace.config["cohorts"]["fresh"] = fresh
    return workspace


def test_a_cohort_without_follow_up_is_judged_by_bundles(bundled: Workspace) -> None:
    new = {"import_features": 1, "genomics": 1, "cluster": 1, "predict_cohort": 2}
    assert bundled.planned("predict") == {**new, "predict": 1}
    result = bundled.snakemake("predict")
    assert result.returncode == 0, result.stdout[-4000:]
    results = bundled.folder / "results"
    for name in ("cooperative", "genes"):
        risks = pd.read_csv(results / "fresh" / "predict" / name / "risk.csv")
        assert len(risks) == 24
        assert np.isfinite(risks["risk"]).all()
        assert risks["warnings"].str.contains("synthetic").all()
        assert json.loads((results / "fresh" / "predict" / name / "predict.json").read_text())["networks"] == 2
    assert bundled.planned("predict") == {}
    bundled.set("predict.months", [6])
    assert bundled.planned("predict") == {"predict_cohort": 2, "predict": 1}


def test_slides_go_through_every_stage_to_a_prediction(bundled: Workspace) -> None:
    folder = "results/tiny/bundle/resnet50/ccl"
    bundled.config["cohorts"] = {"fresh": newcomers("tiny", predict_with={"ccl": folder})}
    bundled.config["models"] = {}
    stages = {"tissue": 2, "tile": 2, "embed": 2, "genomics": 1, "cluster": 1, "predict_cohort": 1}
    assert bundled.planned("predict") == {**stages, "predict": 1}
    card = json.loads((bundled.folder / folder / "bundle.json").read_text())
    assert card["preprocessing"]["tile"]["mpp"] == 0.5
    assert card["scales"]["target_mpp"] == [0.5]
    for key, value, expected in [
        ("tile.mpp", 0.6, "set `tile: mpp: 0.5`"),
        ("cluster.normalise", "l2", "set `cluster: normalise: none`"),
        ("embed.encoders", {"resnet50": {"weights": "hub"}}, "other weights"),
        ("embed.encoders", {"uni": {"weights": "random"}}, "another encoder"),
        ("cohorts.fresh.predict_with.ccl", "results/nowhere", "no such file"),
    ]:
        before = json.dumps(bundled.config)
        bundled.set(key, value)
        result = bundled.snakemake("predict", "--dry-run")
        assert result.returncode != 0
        assert expected in result.stdout
        assert "Traceback" not in result.stdout
        bundled.config = json.loads(before)
    del bundled.config["cohorts"]["fresh"]["omics"], bundled.config["cohorts"]["fresh"]["gmt"]
    assert "no omics" in bundled.snakemake("predict", "--dry-run").stdout


def test_nobody_to_predict_is_said(workspace: Workspace) -> None:
    result = workspace.snakemake("predict", "--dry-run")
    assert result.returncode != 0
    assert "predict_with" in result.stdout


def test_a_cohort_without_follow_up_and_bundle_is_refused(workspace: Workspace) -> None:
    workspace.config["cohorts"]["fresh"] = newcomers("tiny")
    result = workspace.snakemake("--dry-run")
    assert result.returncode != 0
    assert "'patients' is a required property" in result.stdout
