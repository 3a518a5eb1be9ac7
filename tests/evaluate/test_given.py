"""Predictions made elsewhere, judged by the same rules."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import brier_score, concordance_index_censored
from sksurv.util import Surv

from ccl.evaluate.stage import evaluate_predictions, evaluate_runs
from ccl.io.errors import InputError


@pytest.fixture
def table(patients):
    rng = np.random.default_rng(0)
    rows = patients(90).assign(fold=np.arange(90) % 3)
    rows["risk"] = rng.normal(0, 25, 90) - rows["months"]
    curves = np.sort(rng.random((90, 2)))[:, ::-1]
    return rows.assign(survival_at_12=curves[:, 0], **{"survival_at_48.5": curves[:, 1]}, centre="A")


def judge(table, tmp_path, **options):
    table.to_csv(tmp_path / "theirs.csv", index=False)
    evaluate_predictions(predictions=tmp_path / "theirs.csv", out=tmp_path / "out", **options)
    return json.loads((tmp_path / "out" / "evaluation.json").read_text())


def test_a_table_is_judged_as_the_same_predictions_of_our_own_are(write_fold, patients, tmp_path, table):
    plain = table.drop(columns=["survival_at_12", "survival_at_48.5"])
    found = judge(plain, tmp_path)
    folders = []
    for fold, rows in plain.groupby("fold"):
        tested = rows[["patient_id", "months", "censorship"]].reset_index(drop=True)
        folders.append(write_fold(fold, tested, lambda s, e, rows=rows: rows["risk"], epochs=1))
    evaluate_runs(runs=folders, out=tmp_path / "own")
    own = json.loads((tmp_path / "own" / "evaluation.json").read_text())
    assert list(found["protocols"]) == ["given"]
    assert found["protocols"]["given"] == own["protocols"]["last"]
    assert (found["model"], found["method"], found["n_patients"]) == ("theirs", None, 90)
    one, other = (pd.read_csv(tmp_path / out / "risks.csv") for out in ("out", "own"))
    pd.testing.assert_frame_equal(
        one.drop(columns="protocol"), other[other["protocol"] == "last"].drop(columns="protocol")
    )


def test_survival_is_read_at_the_months_in_the_columns_names(tmp_path, table):
    found = judge(table, tmp_path, months=(12.0, 30.25, 60.0))["protocols"]["given"]
    by_patient = table.sort_values("patient_id")
    outcome = Surv.from_arrays(by_patient["censorship"] == 0, by_patient["months"])
    first, last = by_patient["survival_at_12"].to_numpy(), by_patient["survival_at_48.5"].to_numpy()
    expected = brier_score(outcome, outcome, np.stack([first, (first + last) / 2], axis=1), [12.0, 30.25])[1]
    assert [row["brier"] for row in found["months"]] == [*map(pytest.approx, expected.tolist()), None]
    assert found["integrated_brier"]["to_months"] == 48.5


def test_time_and_no_folds_will_do(tmp_path, table):
    found = judge(table.rename(columns={"months": "time"}).drop(columns="fold"), tmp_path)["protocols"]["given"]
    expected = concordance_index_censored(table["censorship"] == 0, table["months"], table["risk"])[0]
    assert found["mean"] == found["pooled"] == pytest.approx(expected)
    assert found["folds"][0]["n_test"] == 90


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.drop(columns="risk"), r"column is missing.*risk"),
        (lambda t: t.drop(columns="months"), r"one column of follow-up.*either months or time"),
        (lambda t: t.assign(time=1), r"one column of follow-up.*months and time"),
        (lambda t: t.rename(columns={"survival_at_12": "survival_1"}), r"does not tell its time.*survival_1"),
        (lambda t: t.rename(columns={"survival_at_12": "survival_at_48.50"}), r"does not tell its time"),
        (lambda t: t.assign(survival_at_12=0.0), r"rises with time.*row 2"),
        (lambda t: t.assign(survival_at_12=1.2), r"row 2 \(patient P000\).*survival_1 1\.2"),
        (lambda t: pd.concat([t, t[4:5]]), r"predicted twice.*row 92.*patient P004, fold 1"),
        (lambda t: pd.concat([t, t[4:5].assign(fold=7)]), r"tested more often than others.*patient P004"),
        (lambda t: pd.concat([t, t.assign(fold=7, months=t["months"] + 1)]), r"follow-up of a patient differs.*P000"),
        (lambda t: t.assign(fold=t["fold"] + 0.5), r"fold is no whole number.*row 2"),
        (lambda t: t.assign(patient_id=t["patient_id"].where(t.index != 5)), r"names no patient.*row 7"),
        (lambda t: t.assign(risk=t["risk"].where(t.index != 3)), r"row 5 \(patient P003\).*risk nan"),
        (lambda t: t[:0], r"there are no predictions"),
    ],
)
def test_a_table_that_cannot_be_judged_is_refused(tmp_path, table, change, match):
    with pytest.raises(InputError, match=f"(?s){match}"):
        judge(change(table), tmp_path)
    assert not (tmp_path / "out").exists()
