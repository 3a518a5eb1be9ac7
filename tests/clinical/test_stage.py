"""The clinical stage, through its command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from ccl.cli import cli
from ccl.io.covariates import Clinical
from ccl.io.files import read_json, sha256
from tests.clinical.conftest import follow_up

Write = Callable[..., Path]
COVARIATES = {"age": {"kind": "numeric", "unit": "years"}, "er": {"kind": "categorical", "levels": ["-", "+"]}}
COUNT = 44


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    return follow_up(tmp_path, 3 + np.arange(COUNT) * 7 % 41, np.arange(COUNT) % 2)


@pytest.fixture
def clinical_table(table: Write) -> Path:
    """All patients of the cohort but the last, and one of another."""
    rows = [f"P{number:03d},{40 + number * 11 % 37},{'-+'[number * 5 % 7 < 3]}" for number in range(COUNT - 1)]
    return table("case,age,er", *rows, "Q1,never,what")


def run(folder: Path, table: Path, **options: Any) -> Any:
    """Run the command."""
    words = ["clinical", "--table", str(table), "--patient-column", "case", "--out", str(folder / "out")]
    for column in ("months", "censorship"):
        words += ["--outcome-column", column]
    covariates = options.pop("covariates", COVARIATES)
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return CliRunner().invoke(cli, [*words, "--covariates", json.dumps({"covariates": covariates})])


def test_the_covariates_of_the_cohort_are_written(tmp_path: Path, clinical_table: Path, patients: Path) -> None:
    done = run(tmp_path, clinical_table, patients=patients)
    assert done.exit_code == 0, done.exception
    read = Clinical.read(tmp_path / "out" / "clinical.csv")
    assert read.patients == [f"P{number:03d}" for number in range(COUNT - 1)]
    assert read.columns == ("age", "er: +")
    assert read.table.loc["P001"].tolist() == [51, "-"]
    facts = read_json(tmp_path / "out" / "covariates.json")
    assert facts["inputs"] == {"table": [{"file": "clinical.csv", "sha256": sha256(clinical_table)}]}
    assert facts["warnings"] == [
        "1 of 44 patients have no row in the clinical table, such as P043. Models that read covariates leave them out."
    ]
    assert f"warning: {facts['warnings'][0]}" in done.stderr


def test_the_patients_of_the_cohort_are_described(tmp_path: Path, clinical_table: Path, patients: Path) -> None:
    folds = [f"{fold},P{n:03d},{'test' if n % 2 == fold else 'train'}" for fold in range(2) for n in range(COUNT)]
    (tmp_path / "folds.csv").write_text("\n".join(["fold,patient_id,role", *folds, ""]))
    assert run(tmp_path, clinical_table, patients=patients, folds=tmp_path / "folds.csv").exit_code == 0
    table = (tmp_path / "out" / "characteristics.csv").read_text().splitlines()
    assert table[:3] == [
        "covariate,value,all,dead,alive,fold0,fold1",
        "patients,n,44,22,22,22,22",
        "age (years),n,43,21,22,22,21",
    ]


def test_new_patients_have_no_follow_up_to_compare_with(tmp_path: Path, table: Write) -> None:
    assert run(tmp_path, table("case,age,er", "N1,50,+")).exit_code == 0
    assert Clinical.read(tmp_path / "out" / "clinical.csv").patients == ["N1"]


@pytest.mark.parametrize(
    ("covariates", "expected"),
    [
        ({"er": {"kind": "categorical", "levels": ["-", "no"]}}, "that the config does not name"),
        ({"age": {"kind": "numeric", "columns": ["OS.time"]}}, "the outcome in disguise"),
        ({"months": {"kind": "numeric"}}, "the outcome in disguise"),
        ({"er": {"kind": "numeric"}}, "a covariate is not a number"),
    ],
)
def test_what_is_refused_leaves_no_file(
    tmp_path: Path, clinical_table: Path, patients: Path, covariates: dict[str, Any], expected: str
) -> None:
    done = run(tmp_path, clinical_table, patients=patients, covariates=covariates)
    assert expected in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_follow_up_under_another_name_is_refused(tmp_path: Path, table: Write, patients: Path) -> None:
    rows = [f"P{number:03d},{3 + number * 7 % 41}" for number in range(COUNT)]
    done = run(tmp_path, table("case,visits", *rows), patients=patients, covariates={"visits": {"kind": "numeric"}})
    assert "clinical: covariates, visits" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_fold_of_unlike_patients_is_reported(tmp_path: Path, clinical_table: Path, patients: Path) -> None:
    """Fold 0 tests the youngest, fold 1 every second patient."""
    rows = [line.split(",") for line in clinical_table.read_text().splitlines()[1:-1]]
    youngest = {row[0] for row in sorted(rows, key=lambda row: int(row[1]))[:14]}
    lines = [f"0,{row[0]},{'test' if row[0] in youngest else 'train'}" for row in rows]
    lines += [f"1,{row[0]},{'test' if number % 2 else 'train'}" for number, row in enumerate(rows)]
    folds = tmp_path / "folds.csv"
    folds.write_text("\n".join(["fold,patient_id,role", *lines, ""]))
    done = run(tmp_path, clinical_table, patients=patients, folds=folds)
    said = [line for line in read_json(tmp_path / "out" / "covariates.json")["warnings"] if "unlike" in line]
    assert len(said) == 1
    assert said[0].startswith("age: test patients of fold 0 are unlike the others (p = ")
    assert said[0] in done.stderr
