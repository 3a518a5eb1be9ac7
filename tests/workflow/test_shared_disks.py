"""Results on disks as clusters have them: full ones, and some on which no file can be locked."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from ccl.io.formats import Clusters
from tests.workflow.workspace import Workspace, environment

pytestmark = pytest.mark.xdist_group("graph")

MOUNT = """\
mount -t tmpfs -o size=$1 none "$2" || exit
"${@:3}"
code=$?
echo "half-written: $(find "$2" -name '.*-*')"
exit $code
"""
"""Mounts a disk of the size $1 at $2, calls a command, and tells what that left half-written."""

NO_LOCKS = [sys.executable, str(Path(__file__).parent / "no_locks.py")]


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("disks"))
    make_demo(workspace.folder / "bags", DemoSettings(patients=24, seed=3, bags=True, shuffle_risk=False))
    del workspace.config["cohorts"]["tiny"]
    del workspace.config["cohorts"]["bags"]["folds"]
    return workspace


def run(prefix: list[str], workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*prefix, *workspace.command("--cores", "2", *arguments)]
    return subprocess.run(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk needs root")
@pytest.mark.parametrize(("kilobytes", "stage"), [(64, "genomics"), (400, "train")])
def test_a_full_disk_is_one_message(bags: Workspace, tmp_path: Path, kilobytes: int, stage: str) -> None:
    prefix = ["unshare", "--mount", "bash", "-c", MOUNT, "bash", f"{kilobytes}k", str(tmp_path)]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    bags.set("results", str(tmp_path))
    bags.set("models", {"snn": {}})
    result = run(prefix, bags, "--until", stage)
    assert result.returncode != 0
    assert f"error: {stage}: the disk is full\n" in result.stdout
    assert "set `results` to another disk" in result.stdout
    assert "Traceback" not in result.stdout
    assert result.stdout.endswith("half-written: \n")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="the filter does not know this machine")
def test_files_that_cannot_be_locked_are_read(bags: Workspace) -> None:
    lock = f"import fcntl; fcntl.flock(open({__file__!r}), fcntl.LOCK_SH)"
    tried = subprocess.run([*NO_LOCKS, sys.executable, "-c", lock], capture_output=True, text=True, check=False)
    assert "No locks available" in tried.stderr
    bags.set("results", "results")
    bags.set("models", {"ccl": {}})
    result = run(NO_LOCKS, bags, "results/bags/cluster/planted/k3.h5")
    assert result.returncode == 0, result.stdout[-4000:]
    assert len(Clusters.read(bags.folder / "results" / "bags" / "cluster" / "planted" / "k3.h5").patients) == 24
