"""Choosing the device of torch, and a GPU of its own for each process: pretended GPUs, real processes."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ccl.io.devices import pick_device
from ccl.io.errors import ConfigError

JOB = """
import os, sys
from types import SimpleNamespace
from typing import NamedTuple

class Device(NamedTuple):
    type: str
    index: int

machine = [f"GPU-{letter}" for letter in os.environ["MACHINE"]]
visible = [machine[int(v)] if v.isdigit() else v for v in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if v]
visible = visible or machine
cuda = SimpleNamespace(
    is_available=lambda: True,
    device_count=lambda: len(visible),
    get_device_properties=lambda index: SimpleNamespace(uuid=visible[index], name="Pretended"),
    set_device=lambda index: print("current", index, file=sys.stderr),
)
sys.modules["torch"] = SimpleNamespace(cuda=cuda, device=Device)  # torch itself takes seconds to import

from ccl.io.devices import pick_device

device = pick_device(sys.argv[1])
assert pick_device("cuda") == device, "a process has one GPU"
print(device.index, visible[device.index], flush=True)
sys.stdin.read()
"""
"""A job that says which GPU it got, and lives until its input ends."""


class Job:
    """A running job."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def gpu(self) -> str:
        """The GPU's UUID, once the job has one."""
        assert self.process.stdout is not None
        place, gpu = self.process.stdout.readline().split()
        self.place = int(place)
        return gpu

    def end(self, how: signal.Signals = signal.SIGKILL) -> str:
        """End the job, and return its log."""
        self.process.send_signal(how)
        return self.process.communicate()[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Return a function that starts a job on a machine whose GPUs have these letters."""
    jobs = []

    def start(machine: str, *, visible: str | None = None, device: str = "auto", **more: str) -> Job:
        environment = {**os.environ, "MACHINE": machine, "TMPDIR": str(tmp_path), **more}
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-c", JOB, device]
        jobs.append(Job(subprocess.Popen(command, text=True, env=environment, **pipes)))
        return jobs[-1]

    yield start
    for job in jobs:
        job.process.kill()
        job.process.communicate()


def test_without_a_gpu_auto_is_the_cpu(monkeypatch, capfd):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert pick_device("auto").type == pick_device("cpu").type == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert pick_device("auto").type == "cpu"
    assert capfd.readouterr().err == ""


def test_auto_says_so_where_the_gpu_that_was_named_is_not_there(monkeypatch, capfd):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert pick_device("auto").type == "cpu"
    assert "CUDA_VISIBLE_DEVICES is '7'" in capfd.readouterr().err


@pytest.mark.parametrize("visible", [None, "", "7", "GPU-1234"])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, visible):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(ConfigError, match="no GPU") as caught:
        pick_device("cuda")
    assert ("CUDA_VISIBLE_DEVICES" in caught.value.todo) == (visible is not None)
    assert visible is None or f"CUDA_VISIBLE_DEVICES is '{visible}'" in caught.value.found


def test_jobs_that_start_at_once_get_a_gpu_each(start):
    jobs = [start("abcd", device=device) for device in ("auto", "cuda", "auto", "cuda")]
    assert sorted(job.gpu for job in jobs) == ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]
    for job in jobs:
        log = job.end()
        assert f"current {job.place}\n" in log, "what torch puts on the current device goes there too"
        assert f"GPU {job.place + 1} of 4: Pretended, GPU-{'abcd'[job.place]}" in log
        assert "shared" not in log


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_dies_leaves_its_gpu_to_the_next(start, how):
    first, second = start("ab"), start("ab")
    kept, freed = first.gpu, second.gpu
    assert {kept, freed} == {"GPU-a", "GPU-b"}
    second.end(how)
    third = start("ab")
    assert third.gpu == freed
    assert "shared" not in third.end()


def test_more_jobs_than_gpus_share_them_evenly_and_say_so(start):
    jobs = []
    for expected in ("GPU-a", "GPU-b", "GPU-a", "GPU-b", "GPU-a"):
        jobs.append(start("ab"))
        assert jobs[-1].gpu == expected
    logs = [job.end() for job in jobs]
    assert [log.count("this one is shared") for log in logs] == [0, 0, 1, 1, 1]


def test_only_gpus_that_the_scheduler_gave_are_taken_by_number_or_name(start):
    assert start("abcd", visible="2,3").gpu == "GPU-c"
    assert start("abcd", visible="2,3").gpu == "GPU-d"
    assert start("abcd", visible="GPU-b").gpu == "GPU-b"
    assert start("abcd").gpu == "GPU-a"
    assert start("abcd", visible="MIG-1,MIG-2").gpu == "MIG-1"
    assert start("abcd", visible="MIG-1,MIG-2").gpu == "MIG-2"
    last = start("abcd", visible="1")
    assert last.gpu == "GPU-b", "the same GPU, whatever it is called"
    assert "shared" in last.end()


def test_the_claims_of_other_users_can_be_read_whatever_their_umask(start, tmp_path):
    mask = os.umask(0o077)
    try:
        assert start("a").gpu == "GPU-a"
    finally:
        os.umask(mask)
    (claim,) = tmp_path.iterdir()
    assert stat.S_IMODE(claim.stat().st_mode) == 0o644


def test_a_claim_that_cannot_be_made_is_one_clear_error(start, tmp_path):
    (tmp_path / "ccl-gpu-GPU-a.0.lock").symlink_to(tmp_path / "elsewhere")
    log = start("a").process.communicate("")[1]
    assert re.search(r"ConfigError: a GPU cannot be claimed.*set TMPDIR", log, re.DOTALL)
    assert not (tmp_path / "elsewhere").exists()
