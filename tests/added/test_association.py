"""Likelihood-ratio test, hazard ratio and Schoenfeld's test of the risk, given the covariates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from ccl.added.association import RISK, associate
from ccl.io.covariates import Clinical, Covariate


def plain_likelihood(beta, x, patients):
    """Cox's partial log-likelihood without ties, stratified by fold, death by death."""
    eta, total = x @ beta, 0.0
    for i in np.flatnonzero(patients.dead):
        at_risk = (patients.fold == patients.fold[i]) & (patients.months >= patients.months[i])
        total += eta[i] - np.log(np.exp(eta[at_risk]).sum())
    return total


def fitted(x, patients):
    start = np.zeros(x.shape[1])
    return minimize(lambda b: -plain_likelihood(b, x, patients), start, method="BFGS", options={"gtol": 1e-6})


@pytest.mark.parametrize("seed", range(12))
def test_the_tests_are_those_of_a_plain_likelihood(draw, seed):
    drawn = draw(seed, n=90, folds=3, hidden=0.4)
    patients = drawn.patients(drawn.hidden)
    values = np.where(np.isnan(patients.covariates), np.nanmean(patients.covariates, axis=0), patients.covariates)
    x = (values - values.mean(axis=0)) / values.std(axis=0)
    small, large = fitted(x, patients), fitted(np.column_stack([x, patients.standardised]), patients)
    found = associate(patients)
    statistic = 2 * (small.fun - large.fun)
    assert found["likelihood_ratio"]["statistic"] == pytest.approx(statistic, abs=1e-3)
    assert found["likelihood_ratio"]["p"] == pytest.approx(chi2.sf(statistic, 1), abs=1e-3)
    # The deviation of a pooled standardised risk is 1, so its coefficient needs no other scale.
    assert found["hazard_ratio"]["hazard_ratio"] == pytest.approx(np.exp(large.x[-1]), rel=1e-3)
    both = np.column_stack([x, patients.standardised])
    profile = [without_last(both, patients, large.x[-1] + step) for step in (-0.05, 0, 0.05)]
    error = 1 / np.sqrt((profile[0] - 2 * profile[1] + profile[2]) / 0.05**2)
    assert found["hazard_ratio"]["upper"] == pytest.approx(np.exp(large.x[-1] + 1.96 * error), rel=0.02)


def without_last(x, patients, last):
    start = np.zeros(x.shape[1] - 1)
    loss = lambda b: -plain_likelihood(np.append(b, last), x, patients)  # noqa: E731
    return minimize(loss, start, method="BFGS", options={"gtol": 1e-6}).fun


def test_noise_is_rarely_significant(draw):
    ps = []
    for seed in range(60):
        drawn = draw(seed, n=120)
        noise = np.random.default_rng(500 + seed).normal(size=120)
        ps.append(associate(drawn.patients(noise))["likelihood_ratio"]["p"])
    assert 0.2 < np.median(ps) < 0.8
    assert np.mean(np.array(ps) < 0.05) < 0.15


def test_hazards_that_cross_are_found(draw):
    ps = []
    for crossing in (True, False):
        drawn, rng = draw(0, n=400), np.random.default_rng(0)
        z = rng.choice([-1.0, 1.0], 400)
        early, late = np.exp(z) / 30, np.exp(-z if crossing else z) / 30
        # A unit of cumulative hazard is reached at one rate in the first 15 months and at another afterwards.
        hazard = rng.exponential(1, 400)
        death = np.where(hazard < 15 * early, hazard / early, 15 + (hazard - 15 * early) / late)
        end = rng.uniform(10, 120, 400)
        drawn.outcome = drawn.outcome.assign(months=np.minimum(death, end), censorship=(end < death).astype(int))
        found = associate(drawn.patients(z))["proportional_hazards"]
        ps.append(next(row["p"] for row in found if row["column"] == RISK))
    assert ps[0] < 1e-6
    assert ps[1] > 0.01


def test_a_risk_that_is_a_covariate_has_no_hazard_ratio(draw):
    drawn = draw(0, missing=0.0)
    outcome = drawn.outcome.assign(fold=0)
    drawn.outcome = outcome
    patients = drawn.patients(drawn.clinical.table["age"])
    found = associate(patients)
    assert found["hazard_ratio"]["hazard_ratio"] is None
    assert "a combination of the covariates" in found["hazard_ratio"]["reason"]


def test_columns_that_say_the_same_and_levels_without_deaths_do_no_harm(draw):
    drawn = draw(0)
    stage = drawn.clinical.table["stage"]
    rare = np.where(drawn.outcome.index < 6, "rare", "common")
    drawn.outcome.loc[:5, "censorship"] = 1
    table = pd.DataFrame({"a": stage, "b": stage, "c": "left", "d": rare}, index=stage.index)
    levels = ("I", "II", "III")
    covariates = (
        Covariate("a", "ordinal", levels, indicator=True),
        Covariate("b", "ordinal", levels, indicator=True),
        Covariate("c", "categorical", ("left", "right")),
        Covariate("d", "categorical", ("common", "rare")),
    )
    drawn.clinical = Clinical(table, covariates, {"warnings": []})
    found = associate(drawn.patients(drawn.hidden))
    assert found["likelihood_ratio"]["p"] < 1e-3
    assert 1.5 < found["hazard_ratio"]["hazard_ratio"] < 3
    drawn.clinical = Clinical(table[["c"]], covariates[2:3], {"warnings": []})
    assert associate(drawn.patients(drawn.hidden))["likelihood_ratio"]["reason"] == "no covariate varies"
