"""Checks that a SLURM cluster has the resources of a run's jobs.

SLURM accepts a job that asks for more cores or time than its partition has, and lets it wait forever without a message.
"""

from __future__ import annotations

import logging
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from ccl.io.errors import ConfigError


@dataclass(frozen=True)
class Job:
    """The resources that a kind of jobs asks for."""

    name: str
    """The rule, or the rules of a group."""
    cores: int
    mem_mb: int
    minutes: int
    gpus: int
    partition: str = ""
    """Empty for the cluster's default."""


@dataclass(frozen=True)
class Node:
    """The resources of a node of a partition, and the time limit of jobs there in minutes."""

    partition: str
    cores: int
    mem_mb: int
    minutes: float
    gpus: int

    def holds(self, job: Job) -> bool:
        """Return whether a job fits."""
        return all(getattr(self, what) >= getattr(job, what) for what in ("cores", "mem_mb", "minutes", "gpus"))


def problems(config: Path, profile: str) -> Iterator[tuple[str, str]]:
    """Yield what the cluster lacks for a run, as pairs of problem and advice.

    Parameters
    ----------
    config : Path
        The config of the run.
    profile : str
        The workflow profile, by its name or its folder; one whose executor is ``slurm``.

    Raises
    ------
    ConfigError
        The run cannot be planned with the profile, or SLURM does not answer.
    """
    file = partition_file(profile)
    todo = f"write the partitions of the cluster into {file or 'the profile'}"
    nodes, default = cluster_nodes()
    wanted: dict[str, list[Job]] = {}
    for job in _placed(planned_jobs(config, profile), file):
        wanted.setdefault(job.partition or default, []).append(job)
    for partition, jobs in wanted.items():
        room = [node for node in nodes if node.partition == partition]
        if not room:
            others = ", ".join(dict.fromkeys(node.partition for node in nodes))
            yield f"no partition {partition} for {', '.join(job.name for job in jobs)}; there are {others}", todo
        for job in jobs:
            if room and not any(node.holds(job) for node in room):
                most = "; ".join(dict.fromkeys(map(_amounts, room)))
                found = f"{job.name} asks for {_amounts(job)}; nodes of partition {partition} have {most}"
                yield found, f"{todo}, or ask for less there" + (" or by `device: cpu`" if job.gpus else "")


def _amounts(of: Job | Node) -> str:
    return f"{of.cores} cores, {of.mem_mb} MB, {of.minutes:g} minutes, {of.gpus} GPUs"


def read_profile(profile: str) -> tuple[Path, dict[str, Any]]:
    """Return a profile's folder, found as Snakemake finds it, and the values of its config.

    Raises
    ------
    ConfigError
        There is no such profile.
    """
    folder = next((path for path in (Path(profile), Path("profiles") / profile) if path.is_dir()), None)
    if folder is None or not (folder / "config.yaml").exists():
        raise ConfigError(
            "no such profile",
            where="--workflow-profile",
            found=profile,
            expected=", ".join(sorted(path.parent.name for path in Path("profiles").glob("*/config.yaml"))),
            todo="name one of these, or a folder with a config.yaml",
        )
    return folder, yaml.safe_load((folder / "config.yaml").read_text())


def partition_file(profile: str) -> Path | None:
    """Return the file of partitions that a profile names, relative to the profile if it exists there, or None."""
    folder, values = read_profile(profile)
    name = values.get("slurm-partition-config")
    if name is None:
        return None
    return folder / name if (folder / name).exists() else Path(name)


def planned_jobs(config: Path, profile: str) -> list[Job]:
    """Return the kinds of jobs that a run from the start would submit.

    Raises
    ------
    ConfigError
        Snakemake cannot plan the run.
    """
    command = [sys.executable, "-m", "snakemake", "--configfile", str(config), "--workflow-profile", profile]
    unlimited = ["--cores", "100000"]  # a dry run would count the cores of this machine
    done = subprocess.run(
        [*command, *unlimited, "--dry-run", "--forceall", "--nolock"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigError(
            "the run cannot be planned with this profile",
            where=profile,
            found=(done.stderr or done.stdout).strip().splitlines()[-1],
            todo='correct the profile, or install its plugin: pip install ".[slurm]"',
        )
    return read_jobs(done.stderr + done.stdout)


def read_jobs(plan: str) -> list[Job]:
    """Read the kinds of jobs from the output of a dry run.

    The members of a group run one after the other, so it asks for the largest resources of its members and for the sum
    of their times.
    """
    submitted: list[list[Job]] = []
    rule, cores, grouped = "", 1, False
    for line in plan.splitlines():
        if re.match(r"\[.*\] Group job ", line):
            submitted.append([])
        elif found := re.match(r"( *)rule (\w+):$", line):
            grouped, rule, cores = bool(found[1]), found[2], 1
        elif found := re.match(r" +threads: (\d+)$", line):
            cores = int(found[1])
        elif (found := re.match(r" +resources: (.*)$", line)) and "runtime=" in line:  # jobs without it run locally
            asked = dict(item.split("=", 1) for item in found[1].split(", "))
            mem_mb, runtime, gpus = (int(asked.get(name, 0)) for name in ("mem_mb", "runtime", "gpu"))
            if not grouped:
                submitted.append([])
            submitted[-1].append(Job(rule, cores, mem_mb, runtime, gpus, asked.get("slurm_partition", "")))
    return list(dict.fromkeys(map(_together, submitted)))


def _together(jobs: list[Job]) -> Job:
    return replace(
        max(jobs, key=lambda job: job.gpus),
        name="+".join(sorted({job.name for job in jobs})),
        cores=max(job.cores for job in jobs),
        mem_mb=max(job.mem_mb for job in jobs),
        minutes=sum(job.minutes for job in jobs),
    )


def _placed(jobs: list[Job], file: Path | None) -> Iterator[Job]:
    """Set the partition of each job without one to the choice of SLURM's plugin, if the plugin has a choice."""
    from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

    partitions = read_partition_file(file) if file else []
    quiet = logging.Logger("quiet", logging.CRITICAL)
    for job in jobs:
        resources = {"mem_mb": job.mem_mb, "runtime": job.minutes, "gpu": job.gpus}
        asking = SimpleNamespace(name=job.name, threads=job.cores, resources=resources)
        yield replace(job, partition=job.partition or get_best_partition(partitions, asking, quiet) or "")


def cluster_nodes() -> tuple[list[Node], str]:
    """Ask SLURM for its nodes by partition, and for the name of the default partition.

    Raises
    ------
    ConfigError
        SLURM is not installed, or does not answer.
    """
    if shutil.which("sinfo") is None:
        raise ConfigError("SLURM is not installed", found="no command `sinfo`", todo="run this on a login node")
    command = ["sinfo", "--Node", "--noheader", "--format", "%P|%c|%m|%l|%G"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError("SLURM does not answer", where="sinfo", found=done.stderr, todo="ask your cluster's support")
    rows = [line.strip().split("|") for line in done.stdout.splitlines()]
    default = next((row[0].rstrip("*") for row in rows if row[0].endswith("*")), "")
    return [
        Node(name.rstrip("*"), int(cores), int(mem_mb), minutes(limit), count_gpus(gres))
        for name, cores, mem_mb, limit, gres in rows
    ], default


def minutes(limit: str) -> float:
    """Return SLURM's ``[days-][hours:]minutes:seconds`` or ``infinite`` in minutes."""
    if limit == "infinite":
        return math.inf
    days, _, clock = limit.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return int(days or 0) * 24 * 60 + seconds / 60


def count_gpus(gres: str) -> int:
    """Return the GPUs in a node's generic resources, such as ``gpu:a100:4(S:0-1),gpu:v100:2``."""
    return sum(int(count) for count in re.findall(r"gpu:(?:[^:,()]+:)?(\d+)", gres))
