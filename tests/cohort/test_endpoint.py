"""Follow-up of a named endpoint: what is read, who is left out, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccl.cohort.endpoint import read_endpoint
from ccl.cohort.folds import fold_files
from ccl.cohort.patients import read_patients
from ccl.cohort.stage import make_cohort
from ccl.cohort.words import notes
from ccl.config.cohort_sections import CohortSettings
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import read_json, read_table

DAYS = 365.25 / 12


def settings(**keys: Any) -> CohortSettings:
    return CohortSettings(n_folds=2, synthetic=True, **keys)


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def resource(tmp_path: Path) -> Path:
    """Patients in the columns of the TCGA clinical data resource, with everything that can go wrong."""
    return write(
        tmp_path / "clinical.tsv",
        [
            "patient_id\tOS\tOS.time\tDSS\tDSS.time\tPFI\tPFI.time",
            "alive\t0.0\t1000\t0.0\t1000\t0.0\t1000",
            "tumour\t1.0\t500\t1.0\t500\t1.0\t300",
            "heart\t1.0\t600\t0.0\t600\t0.0\t600",
            "unknown\t1.0\t700\t\t700\t1.0\t700",
            "untimed\t1.0\t\t1.0\t[Not Available]\t1.0\t50",
            "negative\t0.0\t-3\t0.0\t-3\t0.0\t-3",
            "zero\t1.0\t0\t1.0\t0\t1.0\t0",
            "undead\t0.0\t800\t1.0\t800\t1.0\t900",
            "late\t0.0\t2000\t0.0\t2000\t1.0\t100",
        ],
    )


def test_an_endpoint_is_read_in_days_and_the_others_are_left_out_by_reason(resource: Path) -> None:
    read = read_endpoint(resource, None, settings(endpoint="DSS", time_unit="days"))
    table = read.table.set_index("patient_id")
    assert list(table.index) == ["alive", "heart", "late", "tumour", "undead", "zero"]
    assert table.loc["tumour", "months"] == pytest.approx(500 / DAYS)
    assert table["censorship"].to_dict() == {"alive": 1, "heart": 1, "late": 1, "tumour": 0, "undead": 0, "zero": 0}
    assert read.left_out == {
        "no DSS": ["unknown"],
        "DSS event without a time": ["untimed"],
        "negative DSS time": ["negative"],
    }
    assert read.endpoint is not None
    assert read.endpoint["competing_deaths"] == 1
    assert read.endpoint["records"] == {
        "event at time 0": ["zero"],
        "OS time below PFI time": ["undead"],
        "DSS event of a patient who is alive by OS": ["undead"],
    }


def test_the_summary_and_the_report_name_the_patients(resource: Path, tmp_path: Path) -> None:
    make_cohort("c", tmp_path / "out", settings=settings(endpoint="DSS", time_unit="days"), patients=resource)
    summary = read_json(tmp_path / "out" / "summary.json")
    assert (summary["patients"], summary["events"], summary["endpoint"]["name"]) == (6, 3, "DSS")
    said = " ".join(notes(summary))
    for words in (
        "event: 1.0; censored: 0.0",
        "they mean an event of DSS",
        "Competing deaths are treated as censored: 1 death without an event of DSS",
        "1 patient left out (no DSS): unknown",
        "1 record to check (OS time below PFI time): undead",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("event", "none"), [("1:DECEASED", "0:LIVING"), ("Dead", "Alive"), ("DECEASED", "living"), ("1", "0")]
)
def test_words_for_a_status_are_read_and_recorded(tmp_path: Path, event: str, none: str) -> None:
    rows = [f"P1,{event},12", f"P2,{none},24", "P3,[Not Available],", "P4,,7"]
    table = write(tmp_path / "p.csv", ["patient_id,OS_STATUS,OS_MONTHS", *rows])
    read = read_endpoint(table, None, settings(endpoint="OS", event_column="OS_STATUS", time_column="OS_MONTHS"))
    assert read.table["censorship"].tolist() == [0, 1]
    assert read.table["months"].tolist() == [12, 24]
    assert read.left_out == {"no OS": ["P3", "P4"]}
    assert read.endpoint is not None
    assert read.endpoint["values"] == {"event": [event], "censored": [none]}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("P2,2,5", "row 3, column OS"),
        ("P2,relapsed,5", "relapsed"),
        ("P2,-1,5", "-1"),
        ("P2,1,soon", "column OS.time"),
        ("P2,1,inf", "a time is not a number"),
        ("P1,0,5", "disagree on the follow-up"),
        (",1,5", "not a usable patient identifier"),
    ],
)
def test_what_is_no_endpoint_is_refused_by_row(tmp_path: Path, row: str, expected: str) -> None:
    table = write(tmp_path / "p.csv", ["patient_id,OS,OS.time", "P1,1,3", row])
    with pytest.raises(InputError) as error:
        make_cohort("c", tmp_path / "out", settings=settings(endpoint="OS"), patients=table)
    assert expected in str(error.value)
    assert str(table) in str(error.value)
    assert not (tmp_path / "out").exists()


STATUS = st.sampled_from(["1", "0", "1.0", "0:LIVING", "Dead", "alive", "", "[Not Available]", "NA", "2", "yes", " "])
TIME = st.sampled_from(["0", "12", "-1", "3e2", "", "[Unknown]", "NaN", "inf", "1,5", "-0", "soon"])


@given(cells=st.lists(st.tuples(STATUS, TIME), min_size=1, max_size=6))
def test_any_table_is_read_with_every_patient_once_or_is_refused(cells: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as folder:
        rows = [f"P{number}\t{event}\t{time}" for number, (event, time) in enumerate(cells)]
        table = write(Path(folder) / "p.tsv", ["patient_id\tOS\tOS.time", *rows])
        try:
            read = read_endpoint(table, None, settings(endpoint="OS"))
        except InputError as error:
            assert str(table) in str(error)  # noqa: PT017
            return
    assert len(read.table)
    assert np.isfinite(read.table["months"]).all()
    assert read.table["months"].ge(0).all()
    assert read.table["censorship"].isin([0, 1]).all()
    everybody = [*read.table["patient_id"], *(patient for names in read.left_out.values() for patient in names)]
    assert sorted(everybody) == [f"P{number}" for number in range(len(cells))]


def test_the_endpoint_may_be_in_another_table_than_the_patients(resource: Path, tmp_path: Path) -> None:
    patients = write(tmp_path / "omics.csv", ["case_id,slide_id", "tumour,a", "tumour,b", "heart,c", "elsewhere,d"])
    keys = {"patient_column": "case_id", "endpoint_patient_column": "patient_id", "endpoint": "OS", "time_unit": "days"}
    read = read_endpoint(patients, resource, settings(**keys))
    assert read.table["patient_id"].tolist() == ["heart", "tumour"]
    assert read.left_out == {"no row in the table of the endpoint": ["elsewhere"]}
    strangers = write(tmp_path / "others.csv", ["case_id", "X1", "X2"])
    with pytest.raises(InputError, match="no patient of the cohort"):
        read_endpoint(strangers, resource, settings(**keys))


def test_follow_up_may_start_later(tmp_path: Path) -> None:
    rows = ["P1,1,0", "P2,3,0", "P3,3,1", "P4,5,0", "P5,6,1", "P6,9,0", "P7,9,1"]
    table = write(tmp_path / "p.csv", ["patient_id,months,censorship", *rows])
    make_cohort("c", tmp_path / "out", settings=settings(landmark_months=3), patients=table)
    patients = read_table(tmp_path / "out" / "patients.csv")
    assert patients.to_dict("list") == {
        "patient_id": ["P4", "P5", "P6", "P7"],
        "months": [2, 3, 6, 6],
        "censorship": [0, 1, 0, 1],
    }
    summary = read_json(tmp_path / "out" / "summary.json")
    assert summary["left_out"] == {"event up to month 3": ["P1", "P2"], "censored up to month 3": ["P3"]}
    with pytest.raises(ConfigError, match="beyond the landmark"):
        make_cohort("c", tmp_path / "none", settings=settings(landmark_months=9), patients=table)


def test_months_may_be_days_without_an_endpoint(tmp_path: Path) -> None:
    table = write(tmp_path / "p.csv", ["patient_id,months,censorship", "P1,365.25,0"])
    assert read_patients(table, settings(time_unit="days"))["months"].tolist() == [12]


def test_slides_and_folds_may_name_patients_that_are_left_out(resource: Path, tmp_path: Path) -> None:
    sheet = write(tmp_path / "s.csv", ["slide_id,patient_id,path", "A,tumour,a.svs", "B,unknown,b.svs"])
    write(tmp_path / "splits_0.csv", ["train,val", "tumour,undead", "alive,late", "unknown,negative"])
    write(tmp_path / "splits_1.csv", ["train,val", "undead,tumour", "late,alive", "negative,unknown"])
    keys = settings(endpoint="DSS", time_unit="days")
    files = fold_files(tmp_path)
    make_cohort("c", tmp_path / "out", settings=keys, patients=resource, slides=sheet, folds=files)
    assert read_table(tmp_path / "out" / "slides.csv")["slide_id"].tolist() == ["A"]
    folds = read_table(tmp_path / "out" / "folds.csv")
    assert set(folds["patient_id"]) == {"alive", "late", "tumour", "undead"}
    assert set(read_table(tmp_path / "out" / "patients.csv")["patient_id"]) == set(folds["patient_id"])
    assert read_json(tmp_path / "out" / "summary.json")["left_out"]["in no fold"] == ["heart", "zero"]
    # Without an endpoint, a patient in no fold is a mistake.
    with pytest.raises(InputError, match="unknown patient"):
        make_cohort("c", tmp_path / "out", settings=keys, patients=resource, folds=[_stranger(tmp_path)])


def _stranger(folder: Path) -> Path:
    (folder / "more").mkdir()
    return write(folder / "more" / "splits_0.csv", ["train,val", "tumour,stranger"])


def test_the_real_resource_has_the_known_numbers(real_data: Path) -> None:
    """Patients and events of BLCA, counted in the table by hand."""
    table = real_data / "tcga_clinical" / "tcga_blca_clinical.tsv"
    base = settings(patient_column="bcr_patient_barcode", time_unit="days")
    raw = pd.read_csv(table, sep="\t")
    for name in ("OS", "DSS", "PFI", "DFI"):
        read = read_endpoint(table, None, replace(base, endpoint=name))
        known = raw[raw[name].notna() & raw[f"{name}.time"].notna()]
        assert len(read.table) == len(known)
        assert (read.table["censorship"] == 0).sum() == known[name].sum()
