"""The profile `slurm` on a real SLURM of one node: what each stage asks for, and what interruptions cost.

What was asked for is what the scheduler says, never what our own files say.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.workflow.one_node import OneNode, one_node
from tests.workflow.workspace import ROOT, Workspace, environment, skip_if_python_cannot_be_submitted

pytestmark = pytest.mark.xdist_group("slurm")

PROFILE = ROOT / "profiles" / "slurm"
OPTIONS = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "20")
"""This cluster has no accounting, and its queue is short."""

ASKED = {
    # partition, cores, memory, minutes, GPUs; both outlines and patches of a shard are a job, and both folds of a model
    "rule_cohort_wildcards_tiny": ("normal", "1", "2000M", "00:10:00", None),
    "rule_genomics_wildcards_tiny": ("normal", "1", "8000M", "00:30:00", None),
    "rule_outlines_tiny_0_tile_tissue": ("normal", "1", "4000M", "06:00:00", None),
    "rule_quality_wildcards_tiny": ("normal", "1", "4000M", "01:00:00", None),
    "rule_embed_wildcards_tiny_resnet50_0": ("gpu", "4", "16000M", "12:00:00", "gres:gpu:1"),
    "rule_cluster_wildcards_tiny_resnet50_3": ("normal", "4", "16000M", "04:00:00", None),
    "rule_train_tiny_resnet50_ccl_train": ("normal", "1", "8000M", "02:00:00", None),
    "rule_components_wildcards_tiny_resnet50_ccl": ("normal", "1", "8000M", "01:00:00", None),
    "rule_evaluate_wildcards_tiny_resnet50_ccl": ("normal", "1", "4000M", "00:30:00", None),
    "rule_report": ("normal", "1", "4000M", "00:30:00", None),
}


def asked(job: dict[str, str]) -> tuple[str, str, str, str, str | None]:
    """Return what the scheduler says that a job asked for."""
    return job["Partition"], job["NumCPUs"], job["MinMemoryNode"], job["TimeLimit"], job.get("TresPerJob")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNode]:
    skip_if_python_cannot_be_submitted()
    with one_node(tmp_path_factory.mktemp("one-node")) as started:
        yield started


class Run:
    """A run of a workspace that goes on by itself."""

    def __init__(self, workspace: Workspace, *arguments: str, enter: tuple[str, ...] = ()) -> None:
        self.output = workspace.folder / "output.txt"
        command = [*enter, *workspace.command(*arguments)]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, env=environment(), stdout=output, stderr=subprocess.STDOUT)

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said."""
        return self.process.wait(), self.output.read_text()


def submit(slurm: OneNode, workspace: Workspace, *arguments: str, profile: Path = PROFILE) -> Run:
    """Start a run on the cluster."""
    return Run(workspace, "--workflow-profile", str(profile), *OPTIONS, *arguments, enter=tuple(slurm.enter))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A cohort of eight patients with few patches, before any run."""
    workspace = Workspace(tmp_path_factory.mktemp("here"))
    make_demo(workspace.folder / "tiny", DemoSettings(patients=8, seed=3, bags=False, shuffle_risk=False))
    del workspace.config["cohorts"]["bags"]
    workspace.set("shards", 1)
    workspace.set("tile.mpp", 1.0)
    workspace.set("embed.device", "auto")
    workspace.set("models", {"ccl": {}})
    workspace.set("explain", {"count": 0})
    return workspace


@pytest.fixture(scope="module")
def runs(slurm: OneNode, tiny: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Workspace]:
    """A run on this machine alone, and one on the cluster: a job was killed, and the node was away for a while."""
    there = Workspace(tmp_path_factory.mktemp("cluster"))
    there.config = tiny.config
    shutil.copytree(tiny.folder / "tiny", there.folder / "tiny")
    alone = Run(tiny, "--cores", "4")  # as many threads as on the cluster: sums are the same to the last bit
    run = submit(slurm, there)
    slurm.wait("rule_embed", "RUNNING")
    slurm.call("scontrol", "update", f"nodename={slurm.node}", "state=drain", "reason=repair")
    slurm.wait("rule_cluster", "PENDING")
    slurm.call("scontrol", "update", f"nodename={slurm.node}", "state=resume")
    slurm.call("scancel", slurm.wait("rule_train", "RUNNING"))
    for code, said in (run.end(), alone.end()):
        assert code == 0, said[-6000:]
    return tiny, there


@pytest.fixture(scope="module")
def interrupted(runs: tuple[Workspace, Workspace]) -> Workspace:
    """The run on the cluster."""
    return runs[1]


def test_every_stage_asks_for_what_it_needs(slurm: OneNode, interrupted: Workspace) -> None:
    training = "rule_train_tiny_resnet50_ccl_train"
    killed = ("CANCELLED", training, *ASKED[training])
    again = ("COMPLETED", training, "normal", "1", "16000M", "04:00:00", None)
    done = [("COMPLETED", name, *needs) for name, needs in ASKED.items() if name != training]
    assert {(job["JobState"], job["Comment"], *asked(job)) for job in slurm.jobs()} == {killed, again, *done}
    assert len(slurm.jobs()) == len(ASKED) + 1


def test_a_killed_job_and_a_drained_node_cost_nothing_but_time(runs: tuple[Workspace, Workspace]) -> None:
    for name in ("tiny/evaluate/resnet50/ccl/risks.csv", "report/tables/c_index.csv"):
        here, there = (workspace.folder / "results" / name for workspace in runs)
        assert there.read_bytes() == here.read_bytes()
    assert runs[1].planned() == {}


def test_what_slurm_says_of_a_killed_job_is_kept(interrupted: Workspace) -> None:
    logs = [path.relative_to(interrupted.folder) for path in (interrupted.folder / "logs").rglob("*.log")]
    assert [path.parent for path in logs] == [Path("logs/slurm/group_train_tiny_resnet50_ccl_train")]
    assert "CANCELLED" in (interrupted.folder / logs[0]).read_text()


def test_without_a_gpu_none_is_asked_for(slurm: OneNode, interrupted: Workspace) -> None:
    interrupted.set("embed.device", "cpu")
    before = len(slurm.jobs())
    run = submit(slurm, interrupted, "--force", "results/tiny/embed/resnet50/manifests/0.tsv")
    code, said = run.end()
    assert code == 0, said[-6000:]
    assert [asked(job) for job in slurm.jobs()[before:]] == [("normal", "4", "16000M", "12:00:00", None)]


def test_the_doctor_finds_room_for_every_job(slurm: OneNode, interrupted: Workspace) -> None:
    config = interrupted.folder / "doctor.yaml"
    config.write_text(yaml.safe_dump(interrupted.config | {"data": str(interrupted.folder)}))
    ccl = str(Path(sys.executable).parent / "ccl")
    said = slurm.call(ccl, "doctor", "--config", str(config), "--workflow-profile", "slurm")
    assert "\nok    cluster: each job fits into a partition\n" in said


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        ({"nowhere": {"max_gpu": 1}}, "invalid partition specified: nowhere"),
        ({"without-gpu": {"max_gpu": 1}}, "Requested node configuration is not available"),
    ],
    ids=["no such partition", "no GPU"],
)
def test_what_the_cluster_does_not_have_is_refused(
    slurm: OneNode, interrupted: Workspace, tmp_path: Path, partitions: dict[str, dict[str, int]], expected: str
) -> None:
    shutil.copytree(PROFILE, tmp_path / "profile")
    (tmp_path / "profile" / "partitions.yaml").write_text(yaml.safe_dump({"partitions": partitions}))
    manifest = "results/tiny/embed/resnet50/manifests/0.tsv"
    interrupted.set("embed.device", "cuda")
    run = submit(slurm, interrupted, "--force", manifest, "--retries", "0", profile=tmp_path / "profile")
    code, said = run.end()
    assert code != 0
    assert said.count(expected) == 1
