"""The targets `figure6` to `figure9`, planned as Snakemake would run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.workflow.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two cohorts with features of one encoder."""
    here = Workspace(tmp_path)
    one = here.config["cohorts"].pop("bags")
    del one["folds"], here.config["cohorts"]["tiny"]
    for name in ("first", "second"):
        make_demo(tmp_path / name, DemoSettings(patients=6, seed=0, bags=True, shuffle_risk=False))
        text = {key: str(value).replace("bags", name) for key, value in one.items() if isinstance(value, str)}
        omics = {kind: path.replace("bags", name) for kind, path in one["omics"].items()}
        here.config["cohorts"][name] = {
            **one,
            **text,
            "omics": omics,
            "features": {"planted": f"{name}/features"},
        }
    here.set("models", {"ccl": {}, "snn": {}, "small": {"method": "ccl", "width": 64}})
    return here


def test_each_target_runs_only_what_it_needs(workspace: Workspace) -> None:
    """Two folds of three models on two cohorts; Figures 8 and 9 need the two of method ccl alone."""
    tables = {"cohort": 2, "genomics": 2, "import_features": 2, "cluster": 2}
    judged = {**tables, "train": 12, "evaluate": 6, "draw_evaluations": 3}
    assert workspace.planned("figure6") == {**judged, "figure6": 1}
    assert workspace.planned("figure7") == {**judged, "figure7": 1}
    assert workspace.planned("figure8") == {
        **tables,
        "train": 8,
        "components": 4,
        "draw_components": 2,
        "figure8": 1,
    }
    assert workspace.planned("figure9") == {**tables, "train": 8, "explain_model": 4, "figure9": 1}


def test_a_target_with_nothing_to_draw_says_so(workspace: Workspace) -> None:
    workspace.set("models", {"snn": {}})
    result = workspace.snakemake("figure8", "--dry-run")
    assert result.returncode == 1
    assert "there is nothing to draw" in result.stdout
    assert "a model of the method ccl" in result.stdout
