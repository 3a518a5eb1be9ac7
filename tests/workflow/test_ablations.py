"""The graph of `snakemake ablations`: every point of the paper's tables once, the default shared, nothing else.

The jobs that these tests run are stand-ins that make empty files: what matters here is which jobs there are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")

POINTS = 20
"""Points beside the default: 3 + 4 + 4 + 9, as the workspace's own k is none of the paper's three."""

TABLES = {f"table{number}": 1 for number in range(4, 9)}

STAND_IN = """#!/bin/sh
stage=$1
while [ $# -gt 0 ]; do [ "$1" = --out ] && out=$2; [ "$1" = --table ] && table=$2; shift; done
case $stage in
  cluster) mkdir -p "${out%/*}" && touch "$out" ;;
  train) mkdir -p "$out" && cd "$out" && touch history.csv predictions.csv model.safetensors run.json ;;
  evaluate) mkdir -p "$out" && cd "$out" && touch evaluation.json risks.csv curves.csv calibration.csv ;;
  ablations)
    mkdir -p "$out/figures" && cd "$out"
    if [ "$table" ]; then touch "table$table.csv" "table$table.tex"; else touch ablations.html; fi ;;
esac
"""


def test_every_point_is_trained_once_and_the_default_not_again(finished: Workspace) -> None:
    folds, cohorts = 2, 2
    assert finished.planned("ablations") == {
        "cluster": 3 * cohorts,
        "train": POINTS * folds * cohorts,
        "evaluate": POINTS * cohorts,
        **TABLES,
        "ablations": 1,
    }
    assert finished.planned() == {}


@pytest.mark.parametrize(("table", "points", "cluster"), [(4, 3, 0), (5, 0, 0), (6, 4, 0), (7, 4, 0), (8, 9, 3)])
def test_a_table_has_its_own_points_trained_alone(finished: Workspace, table: int, points: int, cluster: int) -> None:
    folds, cohorts = 2, 2
    expected = {
        "cluster": cluster * cohorts,
        "train": points * folds * cohorts,
        "evaluate": points * cohorts,
        f"table{table}": 1,
    }
    assert finished.planned(f"table{table}") == {rule: jobs for rule, jobs in expected.items() if jobs}


def test_the_paper_s_own_k_is_the_default_s(workspace: Workspace) -> None:
    workspace.set("cluster.k", 6)
    jobs = workspace.planned("ablations")
    assert (jobs["cluster"], jobs["train"], jobs["evaluate"]) == (3 * 2, POINTS * 2 * 2, POINTS * 2)


def test_a_config_without_ccl_has_the_default_trained_too(workspace: Workspace) -> None:
    workspace.set("models", {"snn": {}})
    assert workspace.planned().keys() <= {"report"}
    assert workspace.planned("ablations")["train"] == POINTS * 2 * 2  # the default's files are still there


def test_points_run_again_only_where_they_changed(workspace: Workspace, tmp_path: Path) -> None:
    del workspace.config["cohorts"]["tiny"]
    stand_in = tmp_path / "bin" / "ccl"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    path = os.pathsep.join([str(stand_in.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    result = workspace.snakemake("ablations", env={"PATH": path})
    assert result.returncode == 0, result.stdout[-4000:]
    assert workspace.planned("ablations") == {}

    # Of tau's three values the config's is the default's; the two others do not change with it.
    workspace.set("models.ccl", {"anchor_update": 0.2})
    points = POINTS - 2 + 1
    jobs = workspace.planned("ablations")
    assert jobs == {"train": 2 * (1 + points), "evaluate": 1 + points, **TABLES, "ablations": 1}

    workspace.set("models.ccl", {})
    (workspace.folder / "results" / "bags" / "cluster" / "planted" / "k4.h5").write_text("other clusters")
    assert workspace.planned("ablations") == {"train": 2, "evaluate": 1, "table8": 1, "ablations": 1}
    assert "train" not in workspace.planned()
