"""Folds in the layouts of MMP and Patho-Bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccl.cohort.folds import count_folds, fold_files, read_folds
from ccl.io.errors import InputError

PATIENTS = [f"P{number}" for number in range(6)]


def mmp(folder: Path, name: str, fold: int, tests: list[str]) -> None:
    """Write a fold as MMP does: a row per slide, with other columns."""
    here = folder / f"{name}_k={fold}"
    here.mkdir(parents=True)
    for side, patients in (("train", [p for p in PATIENTS if p not in tests]), ("test", tests)):
        rows = [f"{patient},{patient}-{slide},0.0,{100}" for patient in patients for slide in "ab"]
        (here / f"{side}.csv").write_text("\n".join(["case_id,slide_id,dss_censorship,dss_survival_days", *rows, ""]))


def patho_bench(path: Path, columns: list[list[str]]) -> Path:
    """Write Patho-Bench's table, a row per slide; each column is the role of each patient."""
    header = "\t".join(["case_id", "slide_id", "OS_event", "OS_days", *(f"fold_{i}" for i in range(len(columns)))])
    rows = [
        "\t".join([patient, f"{patient}-{slide}", "1", "100", *(column[number] for column in columns)])
        for number, patient in enumerate(PATIENTS)
        for slide in "ab"
    ]
    path.write_text("\n".join([header, *rows, ""]))
    return path


def read_tests(files: list[Path]) -> list[list[str]]:
    folds = read_folds(files, PATIENTS)
    assert all(len(rows) == len(PATIENTS) for _, rows in folds.groupby("fold"))
    return [rows.loc[rows["role"] == "test", "patient_id"].tolist() for _, rows in folds.groupby("fold")]


def test_folds_of_mmp_are_read(tmp_path: Path) -> None:
    thirds = [["P0", "P1"], ["P2", "P3"], ["P4", "P5"]]
    for fold, tests in enumerate(thirds):
        mmp(tmp_path, "TCGA_BLCA_overall_survival", fold, tests)
    files = fold_files(tmp_path)
    assert count_folds(files) == 3
    assert read_tests(files) == thirds
    # The folder of the authors has all cohorts in it.
    mmp(tmp_path, "TCGA_BRCA_overall_survival", 0, ["P0"])
    with pytest.raises(InputError, match="several sets of folds"):
        fold_files(tmp_path)
    assert fold_files(tmp_path / "TCGA_BLCA_overall_survival_k=*") == files


def test_a_missing_fold_of_mmp_is_refused(tmp_path: Path) -> None:
    for fold in (0, 2):
        mmp(tmp_path, "blca", fold, ["P0"])
    with pytest.raises(InputError, match="not complete"):
        fold_files(tmp_path)


def test_folds_of_patho_bench_are_read(tmp_path: Path) -> None:
    halves = [["test", "test", "test", "train", "train", "train"], ["train", "train", "train", "test", "test", "test"]]
    files = fold_files(patho_bench(tmp_path / "k=all.tsv", halves))
    assert count_folds(files) == 2
    assert read_tests(files) == [["P0", "P1", "P2"], ["P3", "P4", "P5"]]


def test_only_patho_bench_may_test_some_patients_more_often(tmp_path: Path) -> None:
    drawn_anew = [["test", *["train"] * 5], ["test", "test", *["train"] * 4]]
    assert read_tests(fold_files(patho_bench(tmp_path / "k=all.tsv", drawn_anew))) == [["P0"], ["P0", "P1"]]
    for fold, tests in enumerate([["P0"], ["P0", "P1"]]):
        mmp(tmp_path / "mmp", "blca", fold, tests)
    with pytest.raises(InputError, match="P0 in 2 test folds, P1 in 1"):
        read_folds(fold_files(tmp_path / "mmp"), PATIENTS)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([["val", *["train"] * 4, "test"]], "a word other than train and test"),
        ([], "columns fold_0, fold_1"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, columns: list[list[str]], expected: str) -> None:
    files = fold_files(patho_bench(tmp_path / "k=all.tsv", columns))
    with pytest.raises(InputError, match=expected):
        read_folds(files, PATIENTS)


def test_the_slides_of_a_patient_must_agree(tmp_path: Path) -> None:
    path = patho_bench(tmp_path / "k=all.tsv", [["test", *["train"] * 5]])
    path.write_text(path.read_text().replace("P0-b\t1\t100\ttest", "P0-b\t1\t100\ttrain"))
    with pytest.raises(InputError, match="in a fold twice"):
        read_folds(fold_files(path), PATIENTS)
