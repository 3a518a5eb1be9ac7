"""`ccl doctor --workflow-profile`: jobs that the cluster cannot run are found before they are submitted."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ccl.doctor import Finding, cluster
from ccl.scheduler import Job, count_gpus, minutes, planned_jobs

ROOT = Path(__file__).parents[1]
NODES = "normal*|64|256000|2-00:00:00|(null)\ngpu|32|512000|1-00:00:00|gpu:a100:4(S:0-1)"


def python_at(path: Path) -> str:
    """Make a Python in some place that runs the present one."""
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def _in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "executable", python_at(tmp_path / "no-space" / "python"))


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a stand-in for `sinfo` on the path, with these nodes."""

    def stand_in(rows: str) -> None:
        program = tmp_path / "bin" / "sinfo"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{rows}\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return stand_in


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config of three folds and two slides."""
    patients = "".join(f"P{i},{i + 1},{i % 2}\n" for i in range(12))
    (tmp_path / "patients.csv").write_text(f"patient_id,months,censorship\n{patients}")
    (tmp_path / "slides.csv").write_text("slide_id,patient_id,path\nS,P1,S.svs\nT,P2,T.svs\n")
    for table in ("rna.csv", "cnv.csv", "snv.csv", "families.gmt"):
        (tmp_path / table).touch()
    for slide in "ST":
        (tmp_path / f"{slide}.svs").touch()
    values = {
        "results": str(tmp_path / "results"),
        "data": str(tmp_path),
        "shards": 1,
        "cohorts": {
            "c": {
                "patients": "patients.csv",
                "slides": "slides.csv",
                "omics": {kind: f"{kind}.csv" for kind in ("rna", "cnv", "snv")},
                "gmt": "families.gmt",
            }
        },
        "cohort": {"n_folds": 3},
        "embed": {"encoders": {"resnet50": {"weights": "random"}}},
        "models": {"ccl": {}},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def change(config: Path, **sections: Any) -> Path:
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | sections))
    return config


def profile(folder: Path, partitions: dict[str, dict[str, int]]) -> str:
    """Return a copy of the profile with other partitions."""
    shutil.copytree(ROOT / "profiles" / "slurm", folder / "mine")
    (folder / "mine" / "partitions.yaml").write_text(yaml.safe_dump({"partitions": partitions}))
    return str(folder / "mine")


def failures(config: Path, profile: str) -> list[str]:
    found = list(cluster(config, profile))
    assert all(finding.state == "fail" for finding in found)
    return [str(finding) for finding in found]


def test_jobs_are_counted_as_they_are_submitted(config: Path) -> None:
    jobs = {job.name: job for job in planned_jobs(config, "slurm")}
    assert jobs["tile+tissue"] == Job("tile+tissue", 1, 4000, 240 + 120, 0)
    assert jobs["train"] == Job("train", 1, 8000, 3 * 60, 0)
    assert jobs["embed"] == Job("embed", 4, 16000, 720, 1)
    assert "all" not in jobs


def test_the_first_attempt_asks_for_what_the_rules_say(config: Path) -> None:
    rules = sorted(planned_jobs(config, "none"), key=repr)
    assert {"tissue", "tile", "embed", "cluster", "train", "explain_model"} <= {job.name for job in rules}
    assert sorted(planned_jobs(config, "cluster-generic"), key=repr) == rules
    generic, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())["set-resources"]
        for name in ("cluster-generic", "slurm")
    )
    assert generic.pop("train") == {"mem_mb": "8000 * attempt", "runtime": "480 * attempt"}
    # The jobs of this profile are all folds of a model: each has less time.
    assert slurm.pop("train") == {"mem_mb": "8000 * attempt", "runtime": "60 * attempt", "one_after_another": 1}
    assert slurm == generic


def test_an_account_is_said_once(config: Path, nodes: Callable[[str], None], tmp_path: Path) -> None:
    nodes(NODES)
    mine = Path(profile(tmp_path, {"normal": {"max_gpu": 0}, "gpu": {"max_gpu": 1}})) / "config.yaml"
    mine.write_text(f"{mine.read_text()}default-resources:\n  slurm_account: project\n")
    assert [finding.state for finding in cluster(config, str(mine.parent))] == ["ok"]


def test_a_cluster_with_room_is_sound(config: Path, nodes: Callable[[str], None]) -> None:
    nodes(NODES)
    assert list(cluster(config, "slurm")) == [Finding("ok", "cluster", "each job fits into a partition")]


def test_a_partition_that_does_not_exist_is_one_message(
    config: Path, nodes: Callable[[str], None], tmp_path: Path
) -> None:
    nodes(NODES)
    (message,) = failures(config, profile(tmp_path, {"nowhere": {"max_gpu": 1}}))
    assert "no partition nowhere for" in message
    assert "there are normal, gpu" in message
    assert "mine/partitions.yaml" in message


@pytest.mark.parametrize("max_gpu", [0, 1])
def test_a_gpu_where_there_is_none_is_one_message(
    config: Path, nodes: Callable[[str], None], tmp_path: Path, max_gpu: int
) -> None:
    nodes(NODES.splitlines()[0])
    mine = profile(tmp_path, {"normal": {"max_gpu": max_gpu}})
    (message,) = failures(config, mine)
    assert "embed asks for 4 cores, 16000 MB, 720 minutes, 1 GPUs; nodes of partition normal have" in message
    assert "`device: cpu`" in message
    values = yaml.safe_load(config.read_text())
    (finding,) = cluster(change(config, embed=values["embed"] | {"device": "cpu"}), mine)
    assert finding.state == "ok"


@pytest.mark.parametrize(
    ("normal", "expected"),
    [
        ("normal*|2|256000|infinite|(null)", "cluster asks for 4 cores, 16000 MB, 240 minutes"),
        ("normal*|64|256000|5:00:00|(null)", "tile+tissue"),
    ],
    ids=["cores", "time"],
)
def test_what_would_wait_for_ever_is_found(
    config: Path, nodes: Callable[[str], None], normal: str, expected: str
) -> None:
    nodes("\n".join([normal, NODES.splitlines()[1]]))
    (message,) = failures(config, "slurm")
    assert expected in message


def test_without_slurm_or_a_profile_it_says_so(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cluster-generic, default, slurm" in failures(config, "slrum")[0]
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "run this on a login node" in failures(config, "slurm")[0]
    assert [finding.state for finding in cluster(config, "cluster-generic")] == ["warn"]


def test_a_path_with_a_space_cannot_be_submitted(
    config: Path, nodes: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes(NODES)
    monkeypatch.setattr(sys, "executable", python_at(tmp_path / "a space" / "python"))
    for profile in ("slurm", "cluster-generic"):
        failed = [str(finding) for finding in cluster(config, profile) if finding.state == "fail"]
        assert len(failed) == 1
        assert "has a space" in failed[0]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("infinite", float("inf")), ("30:00", 30), ("5:00:00", 300), ("2-00:00:00", 2880), ("1-12:30:00", 2190)],
)
def test_time_limits(limit: str, expected: float) -> None:
    assert minutes(limit) == expected


@pytest.mark.parametrize(
    ("gres", "expected"), [("(null)", 0), ("gpu:2", 2), ("gpu:a100:4(S:0-1),gpu:v100:2", 6), ("nvme:800", 0)]
)
def test_gpus_of_a_node(gres: str, expected: int) -> None:
    assert count_gpus(gres) == expected
