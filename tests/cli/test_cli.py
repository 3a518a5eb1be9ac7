"""The command line: light to start, one message on bad input, non-zero exit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CCL = Path(sys.executable).parent / "ccl"


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CCL, *arguments], capture_output=True, text=True, check=False)


def test_every_stage_is_a_command() -> None:
    result = call("--help")
    assert result.returncode == 0
    slides = ("download", "tissue", "tile", "embed", "import", "cluster")
    stages = (
        "cohort",
        *slides,
        "genomics",
        "clinical",
        "train",
        "evaluate",
        "report",
        "ablations",
        "components",
        "figures",
        "bundle",
        "predict",
    )
    assert all(f"\n  {stage} " in result.stdout for stage in stages)


def test_bad_input_prints_one_message_and_fails(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("patient_id,months,censorship\nP1,3,5\n")
    result = call("cohort", "--name", "c", "--patients", table, "--out", tmp_path / "out", "--n-folds", "1")
    assert result.returncode == 2
    assert "n_folds: found 1; expected a whole number, at least 2" in result.stderr
    result = call("cohort", "--name", "c", "--patients", table, "--out", tmp_path / "out")
    assert result.returncode == 1
    assert result.stderr.startswith("error: censorship must be 0 or 1\n")
    assert f"{table}, row 2 (patient P1)" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("command", "expected"), [("models", "Zhou, Chen"), ("encoders", "1024-d")])
def test_what_is_known_is_listed_with_its_citation(command: str, expected: str) -> None:
    assert expected in call(command).stdout


def test_planning_imports_nothing_heavy() -> None:
    """Snakemake imports what the command line imports, and the plan of a demo cohort, at every call."""
    heavy = {"torch", "sklearn", "cv2", "matplotlib", "lifelines"}
    code = f"import ccl.cli, ccl.demo.plan, sys; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
