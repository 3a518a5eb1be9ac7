"""The plain command in a fresh folder, and a demo cohort that a config declares."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.workflow.workspace import ROOT, Workspace, environment, planned_jobs, tables

pytestmark = pytest.mark.xdist_group("demo")

FEW = {"patients": 5, "seed": 3}


@pytest.fixture
def fresh(tmp_path: Path) -> Workspace:
    """A workspace without data, whose config declares a demo cohort of five patients and trains nothing."""
    workspace = Workspace(tmp_path / "a folder")
    workspace.folder.mkdir()
    workspace.config |= {
        "data": "data/made",
        "demo": FEW,
        "cohorts": {"made": {**tables("."), "slides": "slides.csv"}},
        "models": {},
    }
    return workspace


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_plain_command_goes_from_nothing_to_the_report(tmp_path: Path) -> None:
    for name in ("Snakefile", "config/config.yaml", "profiles", "workflow"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
    command = [sys.executable, "-m", "snakemake", "--cores", "8", "--resources", "gpu=1", "--dry-run"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert planned_jobs(result.stdout + result.stderr) == {
        "demo": 1,
        "cohort": 1,
        "tissue": 2,
        "tile": 2,
        "quality": 1,
        "embed": 2,
        "gather": 1,
        "cluster": 1,
        "genomics": 1,
        "clinical": 1,
        "train": 35,
        "evaluate": 7,
        "components": 1,
        "explain_model": 1,
        "added": 7,
        "report": 1,
    }
    assert not (tmp_path / "data").exists()


def test_snakemake_finds_nothing_to_criticise(fresh: Workspace) -> None:
    result = fresh.snakemake("--lint")
    assert result.returncode == 0, result.stdout


def test_the_default_config_trains_ccl_its_genomic_half_and_the_floors_wherever_there_is_a_gpu() -> None:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    floors = {"cox-clinical", "cox-genomics", "cox-pathology", "cox-multimodal"}
    assert set(config["models"]) == {"ccl", "snn", "snn-clinical"} | floors
    assert config["embed"].get("device", "auto") == "auto"


def test_a_demo_is_made_once_and_mended_when_a_part_is_needed(fresh: Workspace) -> None:
    tissue = ("--until", "tissue")
    assert fresh.planned(*tissue) == {"demo": 1, "tissue": 2}
    result = fresh.snakemake(*tissue)
    assert result.returncode == 0, result.stdout[-6000:]
    assert fresh.planned(*tissue) == {}
    slide = min((fresh.folder / "data" / "made" / "slides").iterdir())
    slide.unlink()
    fresh.set("tissue.threshold", 0.1)
    assert fresh.planned(*tissue) == {"demo": 1, "tissue": 2}
    result = fresh.snakemake(*tissue)
    assert result.returncode == 0, result.stdout[-6000:]
    assert slide.exists()
    assert fresh.planned(*tissue) == {}


def test_a_demo_that_is_there_is_not_made_again(fresh: Workspace) -> None:
    make_demo(fresh.folder / "data" / "made", DemoSettings(**FEW, bags=False, shuffle_risk=False))
    assert fresh.planned() == {"tissue": 2, "tile": 2, "embed": 2, "gather": 1, "quality": 1}
    before = files(fresh.folder / "data")
    result = fresh.snakemake("--until", "tissue")
    assert result.returncode == 0, result.stdout[-6000:]
    assert files(fresh.folder / "data") == before


@pytest.mark.parametrize(("key", "value"), [("demo.patients", 6), ("demo.seed", 4)])
def test_a_demo_with_other_settings_is_neither_used_nor_overwritten(fresh: Workspace, key: str, value: int) -> None:
    make_demo(fresh.folder / "data" / "made", DemoSettings(**FEW, bags=False, shuffle_risk=False))
    before = files(fresh.folder / "data")
    fresh.set(key, value)
    result = fresh.snakemake()
    assert result.returncode != 0
    assert re.search(r"something else than this synthetic cohort\s+where: +data/made", result.stdout)
    assert "delete this one" in result.stdout
    assert "Traceback" not in result.stdout
    assert files(fresh.folder / "data") == before


def test_a_folder_of_the_user_s_own_is_not_filled(fresh: Workspace) -> None:
    mine = fresh.folder / "data" / "made" / "patients.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("patient_id,months,censorship\n")
    result = fresh.snakemake()
    assert result.returncode != 0
    assert "something else than this synthetic cohort" in result.stdout
    assert files(fresh.folder / "data").keys() == {str(mine)}


def test_a_killed_run_goes_on_with_the_same_command(fresh: Workspace) -> None:
    holder = fresh.folder / ".snakemake" / "ccl-lock.json"
    command = fresh.command("--cores", "2", "--until", "tissue")
    with subprocess.Popen(command, env=environment(), start_new_session=True, stderr=subprocess.DEVNULL) as run:
        while not holder.exists():
            assert run.poll() is None
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGKILL)
    assert list((fresh.folder / ".snakemake" / "locks").iterdir())
    again = fresh.snakemake("--until", "tissue")
    assert again.returncode == 0, again.stdout
    assert "removed the lock of a run that was killed" in again.stdout
