"""The section on what models add to covariates."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from ccl.added.stage import judge_added
from ccl.config.sections import ReportSettings
from ccl.io.covariates import Clinical, Covariate
from ccl.report.stage import write_report

METHODS = (("none", "snn"), ("none", "cox-clinical"), ("none", "read-too", "snn"))


@pytest.fixture(scope="module")
def results(tmp_path_factory, make_results):
    """Two cohorts, of which one has covariates, and a model that reads them too."""
    root = tmp_path_factory.mktemp("added")
    evaluations = make_results(root, "blca", methods=METHODS, synthetic=True, n=90)
    for path in (root / "blca" / "train" / "none" / "read-too").glob("*/run.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "covariates": ["age"]}))
    risks = pd.read_csv(evaluations[0].parent / "risks.csv").query("protocol == 'last'")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": np.round(70 - risks["months"].to_numpy() / 4 + rng.normal(0, 6, len(risks))),
            "stage": rng.choice(["I", "II"], len(risks)),
        },
        index=risks["patient_id"],
    ).iloc[1:]
    covariates = (Covariate("age", "numeric", unit="years"), Covariate("stage", "ordinal", ("I", "II", "III")))
    Clinical(table, covariates, {"warnings": ["stage III: no patient."]}).write(root / "clinical.csv")
    added = []
    for path in evaluations:
        out = root / "blca" / "added" / "none" / path.parent.name
        judge_added(evaluation=path.parent, clinical=root / "clinical.csv", out=out)
        added.append(out / "added.json")
    return root, evaluations + make_results(root, "mine", methods=METHODS[:1]), added


@pytest.fixture(scope="module")
def page(results):
    root, evaluations, added = results
    write_report(
        out=root / "report", evaluations=evaluations, config={}, settings=ReportSettings("What it adds"), added=added
    )
    return (root / "report" / "report.html").read_text()


def section(page):
    return re.search(r'<section id="added">.*?</section>', page, re.DOTALL)[0]


def test_the_section_leads_and_says_it_in_words(page, results):
    assert page.index('<section id="added">') < page.index('<section id="c-index">')
    gain = json.loads(results[2][0].read_text())["protocols"]["last"]["differences"]["both"]
    shown = section(page).replace("−", "-")  # noqa: RUF001
    interval = f"(95 % interval {gain['lower']:.3f} to {gain['upper']:.3f})"
    assert f"Adding snn to age and stage raises the C-index by {gain['difference']:.3f} {interval}" in shown
    assert "cox-clinical reads nothing but age and stage" in shown
    assert "read-too (snn) reads age and stage too." in shown


def test_what_a_reader_must_know_stands_there(page):
    shown = section(page)
    assert "Careful: stage III: no patient." in shown
    assert shown.count("synthetic data") >= 4
    assert "blca-P00 (no row in the clinical table)" in shown
    assert "these numbers are too good" in shown


def test_sub_groups_stand_in_a_table_and_in_words(page, results):
    shown = section(page)
    groups = pd.read_csv(results[2][0].parent / "groups.csv").query("protocol == 'last'")
    row = groups.dropna(subset=["c_index"]).iloc[0]
    cell = f'<th scope="row">{row["group"]}</th><td class="number">{row["n_patients"]} ({row["n_events"]})</td>'
    assert f'{cell}<td class="number">{row["c_index"]:.3f} [{row["lower"]:.3f}, {row["upper"]:.3f}]</td>' in shown
    assert "–, fewer than 10 deaths" in shown  # noqa: RUF001
    assert "No sub-groups were found" in shown or "The hazard ratio of its risk differs by" in shown


def test_a_row_of_a_model_that_reads_the_covariates_has_its_own_scores(page, results):
    table = pd.read_csv(results[0] / "report" / "tables" / "added.csv").set_index(["model", "protocol"])
    row = table.loc[("read-too", "last")]
    assert f"{row['brier_clinical']:.3f} → {row['brier_model']:.3f}" in section(page)
    assert f"{row['uno_clinical']:.3f} → {row['uno_model']:.3f}" in section(page)


def test_how_many_comparisons_there_are_is_said(page):
    assert "These are 2 comparisons." in section(page)


def test_a_cohort_without_covariates_says_how_to_declare_them(page):
    assert "No covariates are declared for mine" in section(page)
    assert "clinical: {table:" in section(page)


def test_the_table_has_the_numbers_of_the_stage(page, results):
    root, _, added = results
    table = pd.read_csv(root / "report" / "tables" / "added.csv").set_index(["model", "protocol"])
    assert len(table) == 6
    for path in added:
        facts = json.loads(path.read_text())
        for protocol, found in facts["protocols"].items():
            row = table.loc[(facts["model"], protocol)]
            arm = "both" if facts["model"] == "snn" else "model"
            assert row["compared"] == arm
            assert row["difference"] == pytest.approx(found["differences"][arm]["difference"])
            if arm == "both":
                assert row["c_both"] == pytest.approx(found["arms"]["both"]["c_index"])
            else:
                assert np.isnan(row["c_both"])
            assert np.isnan(row["hazard_ratio"]) == (facts["model"] != "snn")
            assert row["data"] == "synthetic"
    written = (root / "report" / "tables" / "added.tex").read_text()
    assert f"{table.loc[('snn', 'last'), 'c_both']:.3f}" in written
    assert "synthetic" in written


def test_figures_are_drawn_for_what_was_judged(page, results):
    figures = results[0] / "report" / "figures"
    for name in ("added.blca", "blca.none.snn.calibration_arms", "blca.none.snn.benefit", "blca.none.snn.groups"):
        assert (figures / f"{name}.svg").exists()
        assert "synthetic data" in (figures / f"{name}.svg").read_text()
    assert not (figures / "added.mine.svg").exists()


def test_without_covariates_there_is_no_table(results, tmp_path):
    write_report(out=tmp_path, evaluations=results[1][-1:], config={}, settings=ReportSettings())
    assert not (tmp_path / "tables" / "added.csv").exists()
    assert "No covariates are declared for mine" in (tmp_path / "report.html").read_text()


def test_a_model_that_could_not_be_judged_is_blank_with_the_reason(results, tmp_path):
    _, evaluations, added = results
    facts = json.loads(added[0].read_text())
    facts["protocols"]["last"] = {"reason": "the model gives all patients of a fold the same risk"}
    copy = tmp_path / "snn"
    copy.mkdir()
    for name in ("benefit", "calibration", "groups", "interactions"):
        (copy / f"{name}.csv").write_text("protocol\n")
    (copy / "added.json").write_text(json.dumps(facts))
    write_report(
        out=tmp_path / "report", evaluations=evaluations[:1], config={}, settings=ReportSettings(),
        added=[copy / "added.json"],
    )  # fmt: skip
    shown = section((tmp_path / "report" / "report.html").read_text())
    assert "No numbers: the model gives all patients of a fold the same risk." in shown
    assert "is not known: the model gives" in shown
