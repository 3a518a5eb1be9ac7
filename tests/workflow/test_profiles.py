"""The profiles for clusters without a cluster: how jobs are grouped, and a queue that this machine keeps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.workflow.workspace import ROOT, Workspace, skip_if_python_cannot_be_submitted

pytestmark = pytest.mark.xdist_group("graph")

PROFILES = ROOT / "profiles"

SUBMIT = """\
#!/bin/sh
# Runs a script in the background and prints its number; the first job of genomics is killed.
cd "$(dirname "$0")"
number=$(($(cat asked 2>/dev/null | wc -l) + 1))
rule=$(sed -n 's/^# properties = .*"rule": "\\([a-z_]*\\)".*/\\1/p' "$5")
echo "$rule $1 $2 $3 $4" >> asked
if [ "$rule" = genomics ] && mkdir killed 2>/dev/null; then
  echo failed > "$number"
else
  echo running > "$number"
  (sh "$5" > "log.$number" 2>&1 && echo success > "$number" || echo failed > "$number") > /dev/null 2>&1 &
fi
echo "$number"
"""

STATUS = """\
#!/bin/sh
cat "$(dirname "$0")/$1"
"""


@pytest.fixture
def bags(tmp_path: Path) -> Workspace:
    """A cohort with features, before any run."""
    workspace = Workspace(tmp_path / "bags")
    make_demo(workspace.folder / "bags", DemoSettings(patients=24, seed=3, bags=True, shuffle_risk=False))
    del workspace.config["cohorts"]["tiny"]
    del workspace.config["cohorts"]["bags"]["folds"]
    return workspace


def test_the_folds_of_a_model_are_submitted_as_one(bags: Workspace) -> None:
    bags.set("cohort.n_folds", 5)
    result = bags.snakemake("ablations", "--dry-run", "--workflow-profile", str(PROFILES / "slurm"))
    assert result.returncode == 0, result.stdout
    groups = re.findall(r"Group job (train_\S+)", result.stdout)
    trained = re.search(r"^train +(\d+)$", result.stdout, flags=re.MULTILINE)
    assert trained
    assert len(groups) == len(set(groups)) == int(trained[1]) / 5 > 20


def test_any_queue_with_a_submit_command_runs_the_graph(bags: Workspace, tmp_path: Path) -> None:
    skip_if_python_cannot_be_submitted()
    queue = tmp_path / "queue"
    queue.mkdir()
    for name, text in {"submit": SUBMIT, "status": STATUS}.items():
        (queue / name).write_text(text)
        (queue / name).chmod(0o755)
    target = "results/bags/evaluate/none/snn/evaluation.json"
    amounts = "{threads} {resources.mem_mb} {resources.runtime} {resources.gpu}"
    options = {
        "--workflow-profile": PROFILES / "cluster-generic",
        "--cluster-generic-submit-cmd": f"{queue}/submit {amounts}",
        "--cluster-generic-status-cmd": f"{queue}/status",
        "--seconds-between-status-checks": 1,
        "--latency-wait": 20,
    }
    result = bags.snakemake(target, *(str(word) for option in options.items() for word in option))
    assert result.returncode == 0, result.stdout[-4000:]
    assert (bags.folder / target).exists()
    assert sorted((queue / "asked").read_text().splitlines()) == [
        "cohort 1 2000 10 0",
        "evaluate 1 4000 30 0",
        "genomics 1 16000 60 0",  # the one that was killed, again
        "genomics 1 8000 30 0",
        "train 1 8000 480 0",
        "train 1 8000 480 0",
    ]
