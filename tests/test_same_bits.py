"""The same numbers whatever the machine: other instruction sets and numbers of threads are forced on a small run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.machines import MACHINES, STAGES, compare
from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.conftest import ROOT

ONE_MACHINE = {"cohort", "genomics", "cluster"}
"""Stages whose numbers are the same bits on every machine."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("same") / "data"
    make_demo(folder, DemoSettings(patients=16, seed=3, bags=True, shuffle_risk=False))
    return folder


def run(data: Path, name: str, variables: dict[str, str]) -> Path:
    """Run the stages in a process with some environment variables."""
    results = data.parent / name
    command = [sys.executable, "tests/small_run.py", str(data), str(results)]
    clean = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    environment = {**clean, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return results


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the variables are those of x86-64")
def test_another_machine_computes_the_same_to_a_millionth(data: Path) -> None:
    here = run(data, "here", {})
    there = run(data, "there", {**MACHINES["sse4"], **MACHINES["one thread"]})
    table = compare(here, there).set_index("stage")["largest"].groupby("stage").max()
    assert set(table.index) >= {"cohort", "genomics", "cluster", "embed", "train", "evaluate"}
    assert set(table.index) <= set(STAGES)
    assert table[list(ONE_MACHINE)].max() == 0
    # Weights move by a few units of float32 at each step.
    assert table["train"] < 5e-6
    assert table.drop("train").max() < 1e-6
