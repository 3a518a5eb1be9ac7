"""The attacks of ``benchmarks/faults`` in their shortest form: some stages, and a case or two of each attack."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from ccl.cli import cli
from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo

RESULTS = "results/bags"
TABLES = f"--patients {RESULTS}/cohort/patients.csv --folds {RESULTS}/cohort/folds.csv"
GENES = f"{RESULTS}/genomics/genomics.h5"
COMMANDS = (
    f"ccl cohort --name bags --patients bags/patients.csv --slides bags/slides.csv --n-folds 2 --out {RESULTS}/cohort",
    f"ccl genomics --rna bags/rna.csv --snv bags/snv.csv --gmt bags/families.gmt --out {GENES}",
    *(
        f"ccl train --cohort bags --encoder none --model cox --method cox-genomics --fold {fold} {TABLES}"
        f" --track unified --genomics {GENES} --overrides {{}} --synthetic --device cpu --intervals 2"
        f" --out {RESULTS}/train/none/cox/fold{fold}"
        for fold in (0, 1)
    ),
    f"ccl evaluate {RESULTS}/train/none/cox/fold0 {RESULTS}/train/none/cox/fold1 --out {RESULTS}/evaluate/none/cox",
)
GOOD = {"success", "other input", "own error", "killed"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the attacks whose first run has ended."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "finished").mkdir()
    make_demo(folder / "finished" / "bags", DemoSettings(patients=10, seed=3, bags=True, shuffle_risk=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "finished")
        for command in COMMANDS:
            result = CliRunner().invoke(cli, shlex.split(command)[1:], catch_exceptions=False)
            assert result.exit_code == 0, result.output
    (folder / "commands.txt").write_text("".join(f"{command}\n" for command in COMMANDS))
    return folder


@pytest.mark.parametrize(
    ("kind", "cases"),
    [
        ("inputs", 12),
        pytest.param("disks", 8, marks=pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk needs root")),
    ],
)
def test_attacks_end_in_the_same_files_or_in_an_error_of_ccl(folder: Path, kind: str, cases: int) -> None:
    command = [sys.executable, "-m", "benchmarks.faults", kind, "--cases", str(cases), "--folder", str(folder)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("\t") for line in (folder / "cases.tsv").read_text().splitlines()]
    ends = Counter(row[6] for row in rows if row[0] == kind)
    assert ends.total() == cases
    assert ends.keys() <= GOOD, [row for row in rows if row[6] not in GOOD]
    assert ends["own error"] > 0
