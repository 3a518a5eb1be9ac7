"""What each arm predicts: the Cox models, and that nobody is judged by a fit to themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from ccl.added import ARMS
from ccl.added.arms import PENALTY, CoxFit, predict_arms


@pytest.mark.parametrize("seed", range(20))
def test_a_fit_is_that_of_scikit_survival(seed):
    rng = np.random.default_rng(seed)
    n = 80
    x = rng.normal(3, 2, size=(n, 3))
    months = np.round(rng.exponential(20 * np.exp(-0.2 * x[:, 0]))) + 1  # many ties
    dead = rng.random(n) < 0.7
    fit = CoxFit.fit(x[:60], months[:60], dead[:60])
    scaled = (x - x[:60].mean(axis=0)) / x[:60].std(axis=0)
    theirs = CoxPHSurvivalAnalysis(alpha=PENALTY * 60, ties="breslow", tol=1e-12, n_iter=500)
    theirs.fit(scaled[:60], Surv.from_arrays(dead[:60], months[:60]))
    assert fit.log_hazard(x[60:]) == pytest.approx(scaled[60:] @ theirs.coef_, abs=1e-4)
    at = np.array([0.5, 5.0, 12.0])
    curves = theirs.predict_survival_function(scaled[60:])
    # A curve of scikit-survival starts with the first follow-up, one of ours at 0.
    expected = [[1.0 if t < curve.x[0] else curve(t) for t in at] for curve in curves]
    ours = fit.baseline(at) ** np.exp(fit.log_hazard(x[60:]))[:, None]
    assert ours == pytest.approx(np.array(expected), abs=1e-4)


def test_a_missing_value_is_the_mean_of_the_patients_fitted_to():
    rng = np.random.default_rng(0)
    x, months, dead = rng.normal(5, 1, size=(50, 2)), rng.exponential(10, 50), rng.random(50) < 0.8
    x[:10, 0] = np.nan
    fit = CoxFit.fit(x, months, dead)
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    assert fit.weight == pytest.approx(CoxFit.fit(filled, months, dead).weight, abs=1e-6)
    assert fit.log_hazard(np.full((1, 2), np.nan)) == pytest.approx([0.0])
    nobody = x.copy()
    nobody[:, 0] = np.nan
    assert np.isfinite(CoxFit.fit(nobody, months, dead).log_hazard(x)).all()


def test_no_outcome_of_a_fold_touches_its_predictions(draw):
    drawn = draw(0)
    before = predict_arms(drawn.patients(drawn.hidden))
    here = drawn.outcome["fold"] == 2
    drawn.outcome.loc[here, "months"] = drawn.outcome.loc[here, "months"].to_numpy()[::-1] + 1
    drawn.outcome.loc[here, "censorship"] = 1 - drawn.outcome.loc[here, "censorship"]
    after = predict_arms(drawn.patients(drawn.hidden))
    at = np.array([12.0, 36.0])
    for arm in ARMS:
        assert after[arm].risk[here] == pytest.approx(before[arm].risk[here], abs=1e-12)
        assert after[arm].survival(at)[here] == pytest.approx(before[arm].survival(at)[here], abs=1e-12)
    assert not np.allclose(after["both"].risk[~here], before["both"].risk[~here])


def test_no_covariate_of_a_fold_touches_the_predictions_of_its_other_patients(draw):
    drawn = draw(1)
    before = predict_arms(drawn.patients(drawn.hidden))
    here = (drawn.outcome["fold"] == 2).to_numpy()
    one = int(np.flatnonzero(here)[0])
    drawn.clinical.table.iloc[one, 0] = 1e6
    after = predict_arms(drawn.patients(drawn.hidden))
    others = here & (np.arange(len(here)) != one)
    assert after["clinical"].risk[others] == pytest.approx(before["clinical"].risk[others], abs=1e-12)
    assert after["clinical"].risk[one] != pytest.approx(before["clinical"].risk[one])


def test_the_scale_of_a_folds_risk_does_not_matter(draw):
    drawn = draw(2)
    moved = np.where(drawn.outcome["fold"] == 1, 1000 * drawn.hidden - 7, drawn.hidden)
    one, other = predict_arms(drawn.patients(drawn.hidden)), predict_arms(drawn.patients(moved))
    assert other["both"].risk == pytest.approx(one["both"].risk, abs=1e-6)


def test_a_patient_of_several_folds_counts_in_the_first(draw):
    drawn = draw(3)
    repeated = drawn.risks(drawn.hidden).assign(fold=[f"{fold} {5 + fold}" for fold in drawn.outcome["fold"]])
    from ccl.added.patients import select

    patients, _ = select(repeated, drawn.clinical)
    assert patients.fold.tolist() == drawn.outcome["fold"].tolist()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.outcome.update(pd.DataFrame({"fold": np.zeros(200, int)})), "in one fold"),
        (lambda d: setattr(d, "hidden", d.outcome["fold"].to_numpy()), "the same risk"),
        (lambda d: d.outcome.update(pd.DataFrame({"censorship": (np.arange(200) > 8).astype(int)})), "deaths outside"),
    ],
)
def test_what_cannot_be_compared_says_why(draw, change, reason):
    drawn = draw(0)
    change(drawn)
    assert reason in drawn.patients(drawn.hidden).problem


def test_a_fold_with_one_risk_for_all_is_told(draw):
    drawn = draw(0)
    patients = drawn.patients(np.where(drawn.outcome["fold"] == 3, 1.0, drawn.hidden))
    assert patients.problem is None
    assert patients.notes == ["The model gives all patients of fold 3 the same risk."]
    assert not patients.standardised[patients.fold == 3].any()
