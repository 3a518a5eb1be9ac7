"""Predicted survival of the folds, and what follows from it at chosen times."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import brier_score, cumulative_dynamic_auc
from sksurv.util import Surv

from ccl.evaluate.stage import evaluate_runs
from ccl.io.errors import InputError

EDGES = {0: [0.5, 10.0, 30.0, 80.0], 1: [1.0, 15.0, 25.0, 90.0]}


@pytest.fixture
def two_folds(write_fold, patients):
    """Two folds with their own intervals, and two seeds."""
    rng = np.random.default_rng(0)
    folders = []
    for fold, edges in EDGES.items():
        tested = patients(60, seed=fold, prefix=f"F{fold}-")
        curves = np.sort(rng.random((60, 3)))[:, ::-1]
        tested = tested.assign(**{f"survival_{k}": curves[:, k - 1] for k in (1, 2, 3)})
        risk = -curves.sum(axis=1)
        folders.append(
            write_fold(fold, tested, lambda s, e, risk=risk: risk, epochs=1, seeds=(0, 4), interval_edges=edges)
        )
    # The second seed halves every survival.
    for folder in folders:
        table = pd.read_csv(folder / "predictions.csv")
        table.loc[table["seed"] == 4, ["survival_1", "survival_2", "survival_3"]] /= 2
        table.to_csv(folder / "predictions.csv", index=False)
    return folders


def evaluate(folders, out, **options):
    evaluate_runs(runs=folders, out=out, **options)
    return json.loads((out / "evaluation.json").read_text())["protocols"]["last"]


def expected_survival(folders, month):
    """Interpolated by hand, patient by patient."""
    found = {}
    for fold, folder in enumerate(folders):
        for row in pd.read_csv(folder / "predictions.csv").itertuples():
            curve = [1.0, row.survival_1, row.survival_2, row.survival_3]
            found.setdefault(row.patient_id, []).append(np.interp(month, [0.0, *EDGES[fold][1:]], curve))
    return pd.Series(found).map(np.mean)


def test_survival_between_edges_is_interpolated_and_averaged_over_seeds(two_folds, tmp_path):
    found = evaluate(two_folds, tmp_path / "out", months=(20.0, 7.5))
    risks = pd.read_csv(tmp_path / "out" / "risks.csv").query("protocol == 'last'").set_index("patient_id")
    outcome = Surv.from_arrays(risks["censorship"] == 0, risks["months"])
    table = pd.read_csv(tmp_path / "out" / "calibration.csv").query("protocol == 'last'")
    assert [row["months"] for row in found["months"]] == [7.5, 20.0]
    for row in found["months"]:
        survival = expected_survival(two_folds, row["months"]).loc[risks.index].to_numpy()
        expected = brier_score(outcome, outcome, survival[:, None], [row["months"]])[1][0]
        assert row["brier"] == pytest.approx(expected)
        assert row["auc"] == pytest.approx(
            cumulative_dynamic_auc(outcome, outcome, risks["risk"], [row["months"]])[0][0]
        )
        assert row["reason"] is None
        groups = table[table["months"] == row["months"]]
        assert groups["n"].tolist() == [24] * 5
        assert groups["predicted"].to_numpy() == pytest.approx(np.sort(survival).reshape(5, 24).mean(axis=1))
    integrated = found["integrated_brier"]
    assert integrated["from_months"] == pytest.approx(risks["months"].min())
    assert integrated["to_months"] == pytest.approx(np.quantile(risks["months"], 0.9))
    assert found["uno"]["tau_months"] == pytest.approx(integrated["to_months"])
    assert set(integrated) == {"score", "kaplan_meier", "skill", "from_months", "to_months", "reason"}


def test_default_times_are_those_within_follow_up(two_folds, tmp_path):
    found = evaluate(two_folds, tmp_path / "out")
    assert [row["months"] for row in found["months"]] == [12, 36, 60]
    assert all(row["reason"] is None for row in found["months"])


def test_times_without_a_prediction_or_without_follow_up_say_so(two_folds, tmp_path):
    path = two_folds[0] / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "interval_edges": [0.5, 10.0, 20.0, 40.0]}))
    found = evaluate(two_folds, tmp_path / "out", months=(60.0, 5000.0))
    early, late = found["months"]
    assert early["brier"] is None
    assert early["auc"] is not None
    assert early["reason"] == "no Brier score: survival is not predicted for this time"
    assert late["auc"] is late["brier"] is late["brier_kaplan_meier"] is None
    assert late["reason"] == "nobody is followed longer"
    assert found["integrated_brier"]["to_months"] == 40
    assert pd.read_csv(tmp_path / "out" / "calibration.csv").empty


def test_predictions_without_survival_have_what_needs_none(write_fold, patients, tmp_path):
    tested = patients(80)
    found = evaluate([write_fold(0, tested, lambda s, e: -tested["months"])], tmp_path / "out")
    assert found["integrated_brier"]["score"] is None
    assert found["integrated_brier"]["reason"] == "no survival is predicted within follow-up"
    assert found["months"][0]["auc"] == found["uno"]["c_index"] == found["pooled_interval"]["lower"] == 1
    assert found["months"][0]["brier_kaplan_meier"] > 0
    table = pd.read_csv(tmp_path / "out" / "calibration.csv")
    assert list(table) == ["protocol", "months", "group", "predicted", "observed", "lower", "upper", "n"]
    assert table.empty


def test_survival_that_is_no_probability_is_refused(two_folds, tmp_path):
    path = two_folds[1] / "predictions.csv"
    table = pd.read_csv(path)
    table.loc[7, "survival_2"] = 1.5
    table.to_csv(path, index=False)
    with pytest.raises(InputError, match=r"(?s)row 9 \(patient F1-007\).*survival_2 1\.5.*between 0 and 1"):
        evaluate(two_folds, tmp_path / "out")


def test_survival_that_is_missing_is_refused(two_folds, tmp_path):
    path = two_folds[1] / "predictions.csv"
    pd.read_csv(path).drop(columns="survival_3").to_csv(path, index=False)
    with pytest.raises(InputError, match=r"(?s)column is missing.*survival_3"):
        evaluate(two_folds, tmp_path / "out")
