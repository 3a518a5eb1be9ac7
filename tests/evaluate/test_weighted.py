"""The statistics of pooled risks against scikit-survival, lifelines and closed forms, on cohorts of every kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter, KaplanMeierFitter
from sksurv.datasets import load_gbsg2, load_veterans_lung_cancer, load_whas500
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import (
    brier_score,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
    integrated_brier_score,
)
from sksurv.nonparametric import CensoringDistributionEstimator
from sksurv.util import Surv

from ccl.evaluate import bootstrap
from ccl.evaluate.bootstrap import pooled_interval, resample
from ccl.evaluate.censoring import observed_share, survived_share
from ccl.evaluate.concordance import concordance_index, resampled_concordance, uno_concordance
from ccl.evaluate.survival import compare_groups, log_rank
from ccl.evaluate.times import at_months, calibration, integrated_brier, truncation, uno
from ccl.evaluate.weighted import auc_at, brier_scores


def tied_and_censored():
    """Whole months, risks in steps, nine of ten patients censored."""
    rng = np.random.default_rng(3)
    death, end = rng.exponential(90, 400), rng.uniform(1, 20, 400)
    return pd.DataFrame(
        {
            "months": np.ceil(np.minimum(death, end)),
            "censorship": (end < death).astype(int),
            "risk": np.round(-np.log(death) + rng.normal(0, 1, 400)),
        }
    )


def published(load, column):
    """A cohort that scikit-survival brings along, with one of its measurements as the risk."""
    table, outcome = load()
    died, months = (outcome[name] for name in outcome.dtype.names)
    return pd.DataFrame({"months": months / 30.4375, "censorship": (~died).astype(int), "risk": table[column]})


COHORTS = {
    "tied": tied_and_censored(),
    "whas500": published(load_whas500, "age"),
    "gbsg2": published(load_gbsg2, "pnodes"),
    "veterans": published(load_veterans_lung_cancer, "Karnofsky_score").assign(risk=lambda rows: -rows["risk"]),
}


@pytest.fixture(params=COHORTS)
def cohort(request):
    risks = COHORTS[request.param].astype(float)
    return risks.assign(group=np.where(risks["risk"] > risks["risk"].median(), "high", "low"))


def columns(cohort):
    return cohort["months"], cohort["censorship"], cohort["risk"]


def surv(cohort):
    return Surv.from_arrays(cohort["censorship"] == 0, cohort["months"])


def times(cohort):
    return np.unique(np.quantile(cohort["months"], [0.2, 0.4, 0.6, 0.8]))


def predicted(cohort, at):
    """A survival that falls with time, faster at a higher risk."""
    rank = cohort["risk"].rank(pct=True).to_numpy()
    return np.exp(-np.outer(0.2 + rank, np.asarray(at) / cohort["months"].max()))


def test_cohorts_are_tied_and_censored():
    assert COHORTS["tied"]["censorship"].mean() > 0.85
    assert all(len(rows) > rows["months"].nunique() for rows in COHORTS.values())


def test_both_kaplan_meier_curves(cohort):
    at = times(cohort)
    assert observed_share(*columns(cohort)[:2])(at) == pytest.approx(
        CensoringDistributionEstimator().fit(surv(cohort)).predict_proba(at)
    )
    fitted = KaplanMeierFitter().fit(cohort["months"], cohort["censorship"] == 0)
    assert survived_share(*columns(cohort)[:2])(at) == pytest.approx(fitted.survival_function_at_times(at).to_numpy())
    assert survived_share(*columns(cohort)[:2])(0) == 1


def test_uno_concordance(cohort):
    for tau in (*times(cohort), truncation(cohort["months"])):
        expected = concordance_index_ipcw(surv(cohort), surv(cohort), cohort["risk"].to_numpy(), tau=tau)[0]
        assert uno_concordance(*columns(cohort), tau) == pytest.approx(expected)
    found = uno(cohort)
    assert found["c_index"] == pytest.approx(expected)
    assert found["tau_months"] == pytest.approx(np.quantile(cohort["months"], 0.9))


def test_uno_concordance_without_censoring_is_that_of_harrell(cohort):
    alive = cohort.assign(censorship=0)
    assert uno_concordance(*columns(alive), np.inf) == pytest.approx(concordance_index(*columns(alive)))


def test_auc(cohort):
    at = times(cohort)
    expected, _ = cumulative_dynamic_auc(surv(cohort), surv(cohort), cohort["risk"], at)
    assert [auc_at(*columns(cohort), time) for time in at] == pytest.approx(expected.tolist())
    assert [at_months(cohort, time, np.full(len(cohort), np.nan))["auc"] for time in at] == pytest.approx(
        expected.tolist()
    )


def test_brier_score(cohort):
    at = times(cohort)
    survival = predicted(cohort, at)
    expected = brier_score(surv(cohort), surv(cohort), survival, at)[1]
    assert brier_scores(*columns(cohort)[:2], survival, at) == pytest.approx(expected)
    rows = [at_months(cohort, time, survival[:, i]) for i, time in enumerate(at)]
    assert [row["brier"] for row in rows] == pytest.approx(expected.tolist())
    curve = KaplanMeierFitter().fit(cohort["months"], cohort["censorship"] == 0).survival_function_at_times(at)
    for_all = np.broadcast_to(curve.to_numpy(), survival.shape)
    reference = brier_score(surv(cohort), surv(cohort), for_all, at)[1]
    assert [row["brier_kaplan_meier"] for row in rows] == pytest.approx(reference.tolist())


def test_integrated_brier_score(cohort):
    grid = np.linspace(cohort["months"].min(), truncation(cohort["months"]), 100)
    found = integrated_brier(cohort, grid, predicted(cohort, grid))
    expected = integrated_brier_score(surv(cohort), surv(cohort), predicted(cohort, grid), grid)
    assert found["score"] == pytest.approx(expected)
    curve = KaplanMeierFitter().fit(cohort["months"], cohort["censorship"] == 0).survival_function_at_times(grid)
    for_all = np.broadcast_to(curve.to_numpy(), (len(cohort), 100))
    assert found["kaplan_meier"] == pytest.approx(integrated_brier_score(surv(cohort), surv(cohort), for_all, grid))
    assert found["skill"] == pytest.approx(1 - found["score"] / found["kaplan_meier"])


def test_everything_without_censoring_is_a_plain_mean():
    rng = np.random.default_rng(0)
    cohort = pd.DataFrame({"months": rng.exponential(20, 90), "censorship": 0, "risk": rng.normal(size=90)})
    survival, alive = rng.random(90), (cohort["months"] > 15).to_numpy()
    row = at_months(cohort, 15.0, survival)
    assert (row["n_dead"], row["n_alive"], row["reason"]) == ((~alive).sum(), alive.sum(), None)
    assert row["brier"] == pytest.approx(np.mean((survival - alive) ** 2))
    assert row["brier_kaplan_meier"] == pytest.approx(alive.mean() * (1 - alive.mean()))
    risk = cohort["risk"].to_numpy()
    assert row["auc"] == pytest.approx(np.mean(risk[~alive][:, None] > risk[alive]))


def test_calibration(cohort):
    at = float(times(cohort)[1])
    survival = predicted(cohort, [at])[:, 0]
    table = calibration(cohort, at, survival)
    # Fifths by mean rank, so that equal predictions fall into one; numbered anew where that leaves a fifth empty.
    fifth = pd.cut(pd.Series(survival).rank(pct=True) - 0.5 / len(cohort), np.linspace(0, 1, 6), right=False)
    place = fifth.rank(method="dense").astype(int).to_numpy()
    assert table["group"].tolist() == sorted(set(place))
    assert (
        pd.Series(survival)
        .groupby(place)
        .max()
        .iloc[:-1]
        .lt(pd.Series(survival).groupby(place).min().shift(-1).iloc[:-1])
        .all()
    )
    assert table["predicted"].is_monotonic_increasing
    for row in table.itertuples():
        members = cohort[place == row.group]
        fitted = KaplanMeierFitter().fit(members["months"], members["censorship"] == 0)
        assert row.n == len(members)
        assert row.predicted == pytest.approx(survival[place == row.group].mean())
        if at <= members["months"].max():
            assert row.observed == pytest.approx(float(fitted.survival_function_at_times(at).iloc[0]))
            assert row.lower <= row.observed <= row.upper


def test_calibration_of_a_small_cohort_has_fewer_groups_and_ends_with_follow_up():
    cohort = pd.DataFrame({"months": [*[5.0] * 10, *[40.0] * 15], "censorship": 1, "risk": 0.0})
    table = calibration(cohort, 20.0, np.repeat([0.2, 0.8], [10, 15]))
    assert table["n"].tolist() == [10, 15]
    assert table["observed"].isna().tolist() == [True, False]
    assert table["predicted"].tolist() == pytest.approx([0.2, 0.8])


def test_a_true_prediction_is_calibrated():
    rng = np.random.default_rng(1)
    rate = rng.uniform(0.01, 0.05, 4000)
    death, end = rng.exponential(1 / rate), rng.uniform(0, 90, 4000)
    cohort = pd.DataFrame({"months": np.minimum(death, end), "censorship": (end < death).astype(int), "risk": rate})
    table = calibration(cohort, 36.0, np.exp(-36 * rate))
    assert (table["observed"] - table["predicted"]).abs().max() < 0.06
    assert table["lower"].lt(table["predicted"]).all()
    assert table["upper"].gt(table["predicted"]).all()
    grid = np.linspace(1, 60, 100)
    assert integrated_brier(cohort, grid, np.exp(-np.outer(rate, grid)))["skill"] > 0.05


def test_hazard_ratio(cohort):
    found = compare_groups(cohort)
    high = (cohort["group"] == "high").to_numpy(dtype=float)
    theirs = CoxPHSurvivalAnalysis(ties="efron").fit(high[:, None], surv(cohort))
    assert found["hazard_ratio"] == pytest.approx(float(np.exp(theirs.coef_[0])), rel=1e-4)
    table = pd.DataFrame({"months": cohort["months"], "died": cohort["censorship"] == 0, "high": high})
    fitted = CoxPHFitter().fit(table, "months", "died")
    band = np.exp(fitted.confidence_intervals_.loc["high"]).tolist()
    assert [found["hazard_ratio_lower"], found["hazard_ratio_upper"]] == pytest.approx(band)
    assert found["hazard_ratio_lower"] < found["hazard_ratio"] < found["hazard_ratio_upper"]
    assert found["hazard_ratio_reason"] is None


@pytest.mark.parametrize("deaths", [[0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]])
def test_hazard_ratio_without_bound_is_none_with_a_reason(deaths):
    months = [1.0, 2.0, 3.0, 4.0]
    risks = pd.DataFrame({"months": months, "censorship": 1 - np.array(deaths), "risk": [4.0, 3.0, 2.0, 1.0]})
    found = compare_groups(risks.assign(group=["high", "high", "low", "low"]))
    assert found["hazard_ratio"] is found["hazard_ratio_lower"] is found["hazard_ratio_upper"] is None
    assert "died" in found["hazard_ratio_reason"]


patient = st.tuples(st.integers(0, 8), st.booleans(), st.integers(-40, 40))


@settings(max_examples=100)
@given(st.lists(patient, min_size=3, max_size=15), st.integers(0, 8))
def test_bounds_and_symmetry(members, at):
    rows = pd.DataFrame(members, columns=["months", "censorship", "risk"]).astype(float)
    # Of untied risks the negated one loses what the other wins.
    rows["risk"] += np.arange(len(rows)) / 100
    tau = truncation(rows["months"])
    for statistic in (
        lambda sign: concordance_index(rows["months"], rows["censorship"], sign * rows["risk"]),
        lambda sign: uno_concordance(rows["months"], rows["censorship"], sign * rows["risk"], tau),
        lambda sign: auc_at(rows["months"], rows["censorship"], sign * rows["risk"], at),
    ):
        one, other = statistic(1), statistic(-1)
        if not np.isnan(one):
            assert 0 <= one <= 1
            assert one + other == pytest.approx(1)
    interval = pooled_interval(rows)
    if interval["lower"] is not None:
        assert 0 <= interval["lower"] <= interval["upper"] <= 1
    row = at_months(rows, float(at), rows["risk"].rank(pct=True).to_numpy())
    assert (row["reason"] is None) == (None not in (row["auc"], row["brier"]))
    assert row["brier_kaplan_meier"] is None or row["brier_kaplan_meier"] >= 0


def test_resampled_concordance_is_that_of_the_resampled_patients(cohort):
    counts = resample(len(cohort))[:5]
    assert (counts.sum(axis=1) == len(cohort)).all()
    found = resampled_concordance(*columns(cohort), counts)
    for value, times_drawn in zip(found, counts, strict=True):
        drawn = cohort.loc[np.repeat(cohort.index, times_drawn)]
        assert value == pytest.approx(concordance_index(*columns(drawn)), abs=1e-12)


def test_resample_without_a_comparable_pair_does_not_count():
    rows = pd.DataFrame({"months": [1.0, 2.0], "censorship": [0, 1], "risk": [2.0, 1.0]})
    assert np.isnan(resampled_concordance(*columns(rows), np.array([[2, 0], [1, 1]]))[0])
    found = pooled_interval(rows)
    assert (found["lower"], found["upper"]) == (1, 1)
    assert pooled_interval(rows.assign(censorship=1))["lower"] is None


def simulated(rng, n, effect):
    """Proportional hazards with a linear risk, and as many censored as dead."""
    risk = rng.normal(size=n)
    death, end = rng.exponential(np.exp(-effect * risk)), rng.exponential(1.0, n)
    return pd.DataFrame({"months": np.minimum(death, end), "censorship": (end < death).astype(int), "risk": risk})


def test_bootstrap_interval_covers_the_true_c_index(monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 300)
    rng = np.random.default_rng(0)
    true = concordance_index(*columns(simulated(rng, 20_000, 1.0)))
    found = [pooled_interval(simulated(rng, 100, 1.0)) for _ in range(250)]
    coverage = np.mean([one["lower"] <= true <= one["upper"] for one in found])
    # 95 % of 250 intervals, within three standard errors of that.
    assert 0.909 < coverage < 0.991


def test_log_rank_p_is_uniform_where_risk_says_nothing():
    rng = np.random.default_rng(2)
    ps = []
    for _ in range(120):
        rows = simulated(rng, 100, 0.0)
        high = rows["risk"] > rows["risk"].median()
        ps.append(log_rank(rows[high], rows[~high])["log_rank_p"])
    places = np.arange(1, 121) / 120
    # Kolmogorov's distance, whose 1 % quantile is 1.63 over the root of 120.
    assert np.abs(np.sort(ps) - places).max() < 1.63 / 120**0.5
