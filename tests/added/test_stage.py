"""The files of the stage."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sksurv.metrics import brier_score, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.util import Surv

from ccl.added.arms import predict_arms
from ccl.added.stage import judge_added
from ccl.cli import cli
from ccl.io.errors import InputError
from ccl.io.files import read_table


def run(options, **others):
    judge_added(**options, **others)
    return json.loads((options["out"] / "added.json").read_text())


def test_every_protocol_is_judged_and_only_the_honest_one_in_groups(draw, write):
    drawn = draw(0)
    noise = np.random.default_rng(0).normal(size=200)
    options = write(drawn, [drawn.risks(drawn.hidden), drawn.risks(noise, "best-on-test")])
    facts = run(options)
    assert list(facts["protocols"]) == ["last", "best-on-test"]
    assert facts["synthetic"] is True
    assert facts["warnings"] == ["careful"]
    assert [covariate["name"] for covariate in facts["covariates"]] == ["age", "stage", "site"]
    gain = [facts["protocols"][name]["differences"]["both"] for name in ("last", "best-on-test")]
    assert gain[0]["lower"] > 0 > gain[1]["lower"]
    for name, protocols in (("benefit", 2), ("calibration", 2), ("log_hazards", 2), ("groups", 1), ("interactions", 1)):
        table = read_table(options["out"] / f"{name}.csv", required=("protocol",))
        assert table["protocol"].nunique() == protocols
        assert table.columns[0] == "protocol"


@pytest.mark.parametrize("seed", range(3))
def test_timed_statistics_are_those_of_scikit_survival(draw, write, seed):
    drawn = draw(seed)
    found = run(write(drawn, [drawn.risks(drawn.hidden)]), months=(12.0, 36.0))["protocols"]["last"]["arms"]
    patients = drawn.patients(drawn.hidden)
    outcome, at = Surv.from_arrays(patients.dead, patients.months), np.array([12.0, 36.0])
    for arm, predicted in predict_arms(patients).items():
        months = found[arm]["months"]
        _, brier = brier_score(outcome, outcome, predicted.survival(at), at)
        assert [row["brier"] for row in months] == pytest.approx(brier)
        auc, _ = cumulative_dynamic_auc(outcome, outcome, predicted.risk, at)
        assert [row["auc"] for row in months] == pytest.approx(auc)
        uno = concordance_index_ipcw(outcome, outcome, predicted.risk, tau=found[arm]["uno"]["tau_months"])[0]
        assert found[arm]["uno"]["c_index"] == pytest.approx(uno)


def test_patients_left_out_are_named_with_the_reason(draw, write):
    drawn = draw(0)
    drawn.clinical.table.drop(index=["P0003", "P0017"], inplace=True)
    facts = run(write(drawn, [drawn.risks(drawn.hidden)], left_out={"P9999": "no slide"}))
    assert facts["left_out"] == {
        "P9999": "no slide",
        "P0003": "no row in the clinical table",
        "P0017": "no row in the clinical table",
    }
    assert facts["n_patients"] == 198


def test_a_protocol_that_cannot_be_judged_says_why_and_the_other_stays(draw, write):
    drawn = draw(0)
    options = write(drawn, [drawn.risks(np.ones(200)), drawn.risks(drawn.hidden, "best-on-test")])
    facts = run(options)["protocols"]
    assert facts["last"] == {"reason": "the model gives all patients of a fold the same risk"}
    assert facts["best-on-test"]["reason"] is None
    assert set(pd.read_csv(options["out"] / "benefit.csv")["protocol"]) == {"best-on-test"}
    assert read_table(options["out"] / "groups.csv").empty


def test_a_clinical_table_of_other_patients_is_refused(draw, write):
    drawn = draw(0)
    drawn.clinical.table.index = [f"Q{name}" for name in drawn.clinical.table.index]
    options = write(drawn, [drawn.risks(drawn.hidden)])
    with pytest.raises(InputError, match="no patient in common"):
        judge_added(**options)
    assert not options["out"].exists()


def test_the_command_makes_the_files(draw, write):
    drawn = draw(0)
    options = write(drawn, [drawn.risks(drawn.hidden)])
    words = ["added", options["evaluation"], "--clinical", options["clinical"], "--out", options["out"], "--months", 24]
    result = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert set(pd.read_csv(options["out"] / "benefit.csv")["months"]) == {24}
