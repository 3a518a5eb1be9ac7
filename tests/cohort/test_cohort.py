"""The cohort stage: what it writes, and what it refuses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccl.cohort.draw import draw_folds
from ccl.cohort.folds import fold_files
from ccl.cohort.patients import read_patients
from ccl.cohort.stage import make_cohort
from ccl.config.cohort_sections import CohortSettings, FoldDraw
from ccl.io.errors import CclError, ConfigError, InputError
from ccl.io.files import read_json, read_table
from ccl.io.sheets import read_slide_sheet

SETTINGS = CohortSettings("patient_id", "months", "censorship", n_folds=2, fold_seed=0, synthetic=True)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    rows = [f"P{i},{5 * i},{i % 2}" for i in range(1, 9)]
    return write(tmp_path / "patients.csv", "\n".join(["patient_id,months,censorship", *rows]) + "\n")


def test_a_cohort_is_written_whole(tmp_path: Path, patients: Path) -> None:
    sheet = write(tmp_path / "sheet.csv", "slide_id,patient_id,path,mpp\nB,P1,b.svs,\nA,P1,sub dir/a.svs,0.25\n")
    make_cohort("c", tmp_path / "out", settings=SETTINGS, patients=patients, slides=sheet)
    slides = read_slide_sheet(tmp_path / "out" / "slides.csv")
    assert [(s.slide_id, s.mpp) for s in slides] == [("A", 0.25), ("B", None)]
    assert slides[0].path.resolve() == tmp_path / "sub dir" / "a.svs"
    folds = read_table(tmp_path / "out" / "folds.csv")
    assert sorted(folds.loc[folds.role == "test", "patient_id"]) == [f"P{i}" for i in range(1, 9)]
    summary = read_json(tmp_path / "out" / "summary.json")
    assert (summary["patients"], summary["events"], summary["slides"]) == (8, 4, 2)
    assert summary["patients_without_slides"] == [f"P{i}" for i in range(2, 9)]
    assert summary["synthetic"] is True
    # Reverse Kaplan-Meier by hand: censorings at 5, 15, 25 and 35 months; 7/8 * 5/6 * 3/4 * 1/2 first passes 1/2 at 35.
    assert summary["median_follow_up_months"] == 35


def test_rows_per_slide_of_one_patient_count_once(tmp_path: Path) -> None:
    table = write(tmp_path / "p.csv", "patient_id,slide_id,months,censorship\nP1,a,3,1\nP1,b,3,1\nP2,c,4,0\n")
    assert read_patients(table, SETTINGS)["patient_id"].tolist() == ["P1", "P2"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("P1,3,1\nP1,4,1\n", "disagree on the follow-up"),
        ("P1,,1\n", "row 2 (patient P1)"),
        ("P1,nan,1\n", "no follow-up"),
        ("P0,1,0\nP1,-2,1\n", "row 3 (patient P1)"),
        ("P1,inf,1\n", "not a time"),
        ("P1,three,1\n", "three"),
        ("P1,3,2\n", "0 (death observed) or 1 (censored)"),
        ("P1,3,\n", "must be 0 or 1"),
        (",3,1\n", "not a usable patient identifier"),
        ("", "no patients"),
    ],
)
def test_bad_follow_up_is_refused_by_row(tmp_path: Path, rows: str, expected: str) -> None:
    table = write(tmp_path / "p.csv", "patient_id,months,censorship\n" + rows)
    with pytest.raises(InputError) as error:
        make_cohort("c", tmp_path / "out", settings=SETTINGS, patients=table)
    assert expected in str(error.value)
    assert str(table) in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_patients(tmp_path / "nowhere.csv", SETTINGS)
    table = write(tmp_path / "p.csv", "case_id,months,censorship\nP1,3,1\n")
    with pytest.raises(InputError, match="patient_id"):
        read_patients(table, SETTINGS)


@pytest.mark.parametrize("slide", ["../x", "a b", "<b>x</b>", "", "a/b", ".hidden", "x" * 201])
def test_hostile_slide_names_are_refused(tmp_path: Path, slide: str) -> None:
    sheet = write(tmp_path / "s.csv", f"slide_id,patient_id,path\n{slide},P1,a.svs\n")
    with pytest.raises(InputError, match="not a usable slide identifier"):
        read_slide_sheet(sheet)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slide_id,patient_id,path\nA,P1,a\nA,P2,b\n", "listed twice"),
        ("slide_id,patient_id,path\nA,P1,a\na,P2,b\n", "differs from A only in case"),
        ("slide_id,patient_id,path\nNA,P1,a\n", "a word for a missing value such as NA"),
        ("slide_id,patient_id,path,mmp\nA,P1,a,1\n", "mmp"),
        ("slide_id,slide_id,patient_id\nA,A,P1\n", "appears twice"),
        ("slide_id,patient_id,path,mpp\nA,P1,a,25\n", "0.05 to 20"),
        ("slide_id,patient_id,path,mpp\nA,P1,a,fine\n", "fine"),
        ("slide_id,path\nA,a\n", "a column is missing"),
    ],
)
def test_bad_slide_sheets_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError) as error:
        read_slide_sheet(write(tmp_path / "s.csv", text))
    assert expected in str(error.value)


def test_a_slide_without_follow_up_is_refused(tmp_path: Path, patients: Path) -> None:
    sheet = write(tmp_path / "s.csv", "slide_id,patient_id,path\nA,P99,a.svs\nB,P1,b.svs\n")
    with pytest.raises(InputError, match="P99"):
        make_cohort("c", tmp_path / "out", settings=SETTINGS, patients=patients, slides=sheet)


def test_slides_and_patients_with_different_names_are_shown_side_by_side(tmp_path: Path, patients: Path) -> None:
    slides = write(tmp_path / "slides.csv", "slide_id,patient_id\nA,X-4\nB,X-3\nC,X-2\nD,X-1\n")
    with pytest.raises(InputError) as error:
        make_cohort("tiny", tmp_path / "out", settings=SETTINGS, patients=patients, slides=slides)
    assert "found:    X-1, X-2, X-3\n" in str(error.value)
    assert "such as P1, P2, P3\n" in str(error.value)


def test_official_folds_are_taken_as_they_are(tmp_path: Path, patients: Path) -> None:
    write(tmp_path / "splits_0.csv", ",train,val\n0,P1,P5\n1,P2,P6\n2,P3,P7\n3,P4,P8\n")
    write(tmp_path / "splits_1.csv", ",train,val\n0,P5,P1\n1,P6,P2\n2,P7,P3\n3,P8,P4\n")
    make_cohort("c", tmp_path / "out", settings=SETTINGS, patients=patients, folds=fold_files(tmp_path))
    folds = read_table(tmp_path / "out" / "folds.csv")
    first = folds[(folds.fold == 0) & (folds.role == "test")]
    assert first["patient_id"].tolist() == ["P5", "P6", "P7", "P8"]
    inputs = read_json(tmp_path / "out" / "summary.json")["inputs"]
    assert list(inputs) == ["patients", "folds"]
    given = [patients, tmp_path / "splits_0.csv", tmp_path / "splits_1.csv"]
    assert [*inputs["patients"], *inputs["folds"]] == [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in given
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (",train,val\n0,P1,P99\n", "unknown patient"),
        (",train,val\n0,P1,P1\n", "twice"),
        (",train,val\n0,P1,P2\n", "in no fold"),
        (",train,val\n0,P1,P2\n1,P3,P4\n2,P5,P6\n3,P7,P8\n", "no events"),
        (",train,val,test\n0,P1,P2,P3\n", "one test list"),
    ],
)
def test_bad_folds_are_refused(tmp_path: Path, patients: Path, text: str, expected: str) -> None:
    write(tmp_path / "splits_0.csv", text)
    with pytest.raises(InputError, match=expected):
        make_cohort("c", tmp_path / "out", settings=SETTINGS, patients=patients, folds=fold_files(tmp_path))
    assert not (tmp_path / "out").exists()


def test_a_gap_in_the_folds_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "splits_1.csv", ",train,val\n")
    with pytest.raises(InputError, match="not complete"):
        fold_files(tmp_path)


def test_more_folds_than_events_are_refused(tmp_path: Path) -> None:
    table = write(tmp_path / "p.csv", "patient_id,months,censorship\nP1,3,0\nP2,4,1\nP3,5,1\n")
    with pytest.raises(ConfigError, match="too few patients"):
        make_cohort("c", tmp_path / "out", settings=SETTINGS, patients=table)


@settings(max_examples=30)
@given(
    censorship=st.lists(st.integers(0, 1), min_size=10, max_size=60).filter(lambda c: 5 <= sum(c) <= len(c) - 5),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 100),
)
def test_drawn_folds_partition_the_cohort(censorship: list[int], n_folds: int, seed: int) -> None:
    patients = pd.DataFrame({"patient_id": [f"P{i}" for i in range(len(censorship))], "censorship": censorship})
    folds = draw_folds(patients, FoldDraw(n_folds=n_folds, fold_seed=seed))
    tests = folds[folds.role == "test"]
    assert sorted(tests["patient_id"]) == sorted(patients["patient_id"])
    for fold, rows in folds.groupby("fold"):
        assert sorted(rows["patient_id"]) == sorted(patients["patient_id"]), fold
        dead = patients.set_index("patient_id").loc[rows.loc[rows.role == "test", "patient_id"], "censorship"]
        assert 0 < dead.mean() < 1
    assert folds.equals(draw_folds(patients, FoldDraw(n_folds=n_folds, fold_seed=seed)))


def test_an_error_reads_as_a_table() -> None:
    error = CclError("it broke", where="a.csv", found="1", expected="2", todo="fix it")
    assert str(error) == "it broke\n  where:    a.csv\n  found:    1\n  expected: 2\n  to do:    fix it"
