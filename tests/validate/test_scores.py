"""The statistics of a validation against scikit-survival and lifelines on the same predictions."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from sksurv.metrics import (
    brier_score,
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.util import Surv

from ccl.validate.patients import Scored
from ccl.validate.scores import RECALIBRATED, add_to_covariates, drop, score
from tests.added.conftest import Drawn
from tests.validate.conftest import CORNERS, draw


def outcome(scored: Scored):
    return Surv.from_arrays(scored.table["censorship"] == 0, scored.table["months"])


def test_scores_are_those_of_scikit_survival():
    scored = draw()
    facts, _ = score(scored, (12.0, 36.0))
    y, risk = outcome(scored), scored.table["risk"]
    assert facts["concordance"]["c_index"] == pytest.approx(concordance_index_censored(y["event"], y["time"], risk)[0])
    uno = concordance_index_ipcw(y, y, risk, tau=facts["uno"]["tau_months"])[0]
    assert facts["uno"]["c_index"] == pytest.approx(uno, abs=1e-6)
    auc, _ = cumulative_dynamic_auc(y, y, risk, [12, 36])
    np.testing.assert_allclose([at["auc"] for at in facts["months"]], auc, atol=1e-6)
    survival = scored.survival(np.array([12.0, 36.0]))
    _, brier = brier_score(y, y, survival, [12, 36])
    np.testing.assert_allclose([at["brier"] for at in facts["months"]], brier, atol=1e-6)


def test_the_integrated_brier_score_is_that_of_scikit_survival():
    scored = draw(1)
    found = score(scored, ())[0]["integrated_brier"]
    grid = np.linspace(found["from_months"], found["to_months"], 100)
    inside = grid[1:]  # scikit-survival needs times within follow-up
    expected = integrated_brier_score(outcome(scored), outcome(scored), scored.survival(inside), inside)
    assert found["score"] == pytest.approx(expected, abs=2e-3)


def test_groups_are_those_of_the_fixed_cut_and_compared_as_by_lifelines():
    scored = draw()
    found = score(scored, ())[0]["groups"]
    table = scored.table.assign(died=1 - scored.table["censorship"], high=(scored.table["risk"] > -1.2).astype(float))
    fitted = CoxPHFitter().fit(table[["months", "died", "high"]], "months", "died").summary.loc["high"]
    assert found["n_high"] == int(table["high"].sum())
    assert found["hazard_ratio"] == pytest.approx(fitted["exp(coef)"])
    assert found["hazard_ratio_lower"] == pytest.approx(fitted["exp(coef) lower 95%"])


@pytest.mark.parametrize(("slope", "hazard"), [(1.0, 1.0), (0.5, 1.0), (1.0, 2.0)])
def test_intercept_and_slope_are_those_that_were_planted(slope, hazard):
    scored = draw(2, 3000, slope=slope, hazard=hazard)
    (found,) = score(scored, (24.0,))[0]["calibration"]
    assert found["slope_lower"] < slope < found["slope_upper"]
    assert found["slope_upper"] - found["slope_lower"] < 0.3
    observed = KaplanMeierFitter().fit(scored.table["months"], 1 - scored.table["censorship"]).predict(24.0)
    assert found["observed"] == pytest.approx(observed)
    if slope == 1:
        assert found["intercept_lower"] < np.log(hazard) < found["intercept_upper"]


def test_recalibration_mends_a_wrong_hazard_and_keeps_the_order():
    facts, tables = score(draw(3, 400, hazard=2.5), (24.0,))
    before, after = facts["calibration"][0], facts[RECALIBRATED]["calibration"][0]
    assert before["predicted"] - before["observed"] > 0.2
    assert abs(after["predicted"] - after["observed"]) < 0.03
    assert facts[RECALIBRATED]["months"][0]["brier"] < facts["months"][0]["brier"]
    assert set(tables["calibration"]["version"]) == {"predicted", "recalibrated"}


def test_months_beyond_follow_up_or_prediction_are_named_and_have_no_number():
    scored = draw()
    facts, _ = score(scored, (12.0, 65.0, 300.0))
    near, unpredicted, unfollowed = facts["calibration"]
    assert near["reason"] is None
    assert unpredicted["reason"] == "survival is not predicted for this time"
    assert facts["months"][1]["brier"] is None
    assert facts["months"][2]["reason"].startswith("nobody is followed longer")
    assert unfollowed["slope"] is None
    assert CORNERS[-1] < 65


def test_the_drop_has_the_variance_of_both_cohorts():
    found = drop({"c_index": 0.8, "se": 0.03}, {"c_index": 0.7, "se": 0.04})
    assert found["difference"] == pytest.approx(-0.1)
    assert found["se"] == pytest.approx(0.05)
    assert found["lower"] == pytest.approx(-0.1 - 1.96 * 0.05, abs=1e-4)
    assert "does not record" in drop(None, {"c_index": 0.7, "se": 0.04})["reason"]


def test_what_the_model_adds_is_judged_on_who_has_covariates():
    drawn = Drawn(0, 150)
    table = drawn.outcome.rename(columns={"fold": "old"}).assign(risk=drawn.hidden)
    table = table.assign(group=np.where(table["risk"] > 0, "high", "low"))
    curves = np.exp(-CORNERS / 40 * np.exp(drawn.hidden)[:, None])
    scored = Scored(table[["patient_id", "months", "censorship", "risk", "group"]], CORNERS, curves, {}, {"cut": 0.0})
    facts, tables = add_to_covariates(scored, drawn.clinical, (12.0, 36.0))
    assert facts["n_patients"] == 150
    assert facts["differences"]["both"]["lower"] > 0
    assert list(tables["benefit"].columns[2:]) == ["predicted", "recalibrated", "clinical", "both", "all", "none"]
    assert set(tables["groups"]["covariate"]) == {"age", "stage", "site"}
    without, tables = add_to_covariates(scored, None, (12.0,))
    assert without is None
    assert "clinical" not in tables["benefit"]
    assert tables["groups"].empty


def test_few_deaths_leave_what_needs_more_of_them_out_with_the_reason():
    scored = draw(4, 20)
    few = scored.table.assign(censorship=[0, 0, 0] + [1] * 17)
    facts, _ = score(Scored(few, CORNERS, scored.curves, {}, {"cut": -1.2}), (12.0,))
    assert "deaths" in facts[RECALIBRATED]["reason"]
    assert "fewer than 10" in facts["calibration"][0]["reason"]
