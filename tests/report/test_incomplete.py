"""The report on models that are tested on incomplete patients, or leave them out."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from ccl.config.sections import ReportSettings
from ccl.report.stage import write_report

WITHOUT = {f"blca-P{number:02d}": "no slides" for number in range(12)}


@pytest.fixture(scope="module")
def report(make_results, tmp_path_factory):
    root = tmp_path_factory.mktemp("incomplete")
    methods = (("resnet50", "ccl"), ("resnet50", "attmil"))
    evaluations = make_results(root, "blca", methods=methods, left_out=WITHOUT, lacking=WITHOUT)
    write_report(out=root / "report", evaluations=evaluations, config={}, settings=ReportSettings("T"))
    return root / "report", pd.read_csv(root / "blca" / "cohort" / "patients.csv")


def words(path):
    return " ".join(re.sub(r"<[^>]*>", " ", (path / "report.html").read_text()).split())


def test_the_cost_of_leaving_patients_out_is_told(report):
    out, patients = report
    deaths = int((patients[patients["patient_id"].isin(WITHOUT)]["censorship"] == 0).sum())
    table = pd.read_csv(out / "tables" / "tested.csv").set_index("model")
    assert table.loc["ccl", ["n_patients", "left_out", "left_out_events", "incomplete"]].tolist() == [36, 0, 0, 12]
    assert table.loc["attmil", ["n_patients", "left_out", "left_out_events", "incomplete"]].tolist() == [
        24,
        12,
        deaths,
        0,
    ]
    everybody = int((patients["censorship"] == 0).sum())
    assert f"36 ({everybody}) 12 0 (0)" in words(out)
    assert f"24 ({everybody - deaths}) 0 12 ({deaths})" in words(out)


def test_models_on_different_patients_are_not_compared_in_silence(report):
    assert "The models of blca are not tested on the same patients: ccl with resnet50 on 36 (" in words(report[0])
    assert "Their C-indices in this table do not compare." in words(report[0])


def test_each_pattern_has_its_row(report):
    table = pd.read_csv(report[0] / "tables" / "patterns.csv").query("protocol == 'last'")
    assert table["model"].tolist() == ["ccl", "ccl"]
    assert table["pattern"].tolist() == ["complete", "no slides"]
    assert table["n_patients"].tolist() == [24, 12]
    row = table.iloc[0]
    cell = f"complete 24 ({row['n_events']}) {row['c_index']:.3f} [{row['lower']:.3f}, {row['upper']:.3f}]"
    assert cell in words(report[0])


def test_no_published_number_stands_beside_incomplete_patients(report):
    assert pd.read_csv(report[0] / "tables" / "published.csv")["model"].tolist() == ["attmil"]


def test_without_incomplete_patients_nothing_is_said(make_results, tmp_path):
    evaluations = make_results(tmp_path, "blca", methods=(("resnet50", "ccl"),))
    write_report(out=tmp_path / "report", evaluations=evaluations, config={}, settings=ReportSettings("T"))
    assert not (tmp_path / "report" / "tables" / "tested.csv").exists()
    assert not (tmp_path / "report" / "tables" / "patterns.csv").exists()
    assert "by what patients have" not in words(tmp_path / "report")
