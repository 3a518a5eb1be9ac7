"""C-index of the arms and their differences on resamples."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines.utils import concordance_index as lifelines_concordance

from ccl.added import ARMS
from ccl.added.arms import predict_arms
from ccl.added.patients import select
from ccl.added.resample import concordances, differences
from ccl.evaluate import bootstrap
from ccl.evaluate.bootstrap import SEED, resample
from ccl.evaluate.concordance import concordance_index
from ccl.methods.cox.ridge import ridge_cox


def judged(patients):
    return concordances([(patients, predict_arms(patients))])


@pytest.mark.parametrize("seed", range(25))
def test_the_c_index_of_a_fold_is_that_of_lifelines(draw, seed):
    drawn = draw(seed, n=80)
    patients = drawn.patients(drawn.hidden)
    arms = predict_arms(patients)
    for arm, found in concordances([(patients, arms)]).items():
        expected = [
            lifelines_concordance(patients.months[here], -arms[arm].risk[here], patients.dead[here])
            for here in (patients.fold == fold for fold in patients.folds)
        ]
        assert found.folds == pytest.approx(expected)
        assert found.mean == pytest.approx(np.mean(expected))


def test_resamples_are_those_of_a_plain_loop(draw, monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 30)
    drawn = draw(0, n=60, folds=3)
    patients = drawn.patients(drawn.hidden)
    arms, found = predict_arms(patients), judged(patients)
    expected = {arm: np.zeros((30, 3)) for arm in ARMS}
    for place, fold in enumerate(patients.folds):
        here = np.flatnonzero(patients.fold == fold)
        for number, counts in enumerate(resample(len(here), SEED + place)):
            drawn_twice = here[np.repeat(np.arange(len(here)), counts)]
            for arm in ARMS:
                expected[arm][number, place] = plain_concordance(patients, arms[arm].risk, drawn_twice)
    for arm in ARMS:
        assert found[arm].resampled == pytest.approx(expected[arm].mean(axis=1))
    shown = differences(found)["both"]
    values = (expected["both"] - expected["clinical"]).mean(axis=1)
    assert (shown["lower"], shown["upper"]) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_repeats_share_the_resamples_of_patients(draw):
    drawn = draw(0)
    risks = drawn.risks(drawn.hidden)
    folds = np.random.default_rng(9).permutation(len(risks)) % 5
    other = drawn.hidden + np.random.default_rng(1).normal(size=len(risks))
    twice = risks.assign(
        fold=[f"{one} {5 + two}" for one, two in zip(risks["fold"], folds, strict=True)],
        risk=(drawn.hidden + other) / 2, risk_1=drawn.hidden, risk_2=other,
    )  # fmt: skip
    patients, _ = select(twice, drawn.clinical)
    first, second = patients.repeats
    assert (first.fold == drawn.patients(drawn.hidden).fold).all()
    assert sorted(set(second.fold)) == [5, 6, 7, 8, 9]
    found = concordances([(each, predict_arms(each)) for each in patients.repeats])["model"]
    counts, expected = resample(len(risks)), []
    for draws in counts[:20]:
        values = []
        for each in patients.repeats:
            for fold in each.folds:
                here = np.flatnonzero(each.fold == fold)
                members = np.repeat(here, draws[here])
                values.append(concordance_index(each.months[members], ~each.dead[members], each.risk[members]))
        expected.append(np.mean(values))
    assert found.resampled[:20] == pytest.approx(expected)
    assert len(found.folds) == 10


def plain_concordance(patients, risk, members):
    pairs = won = 0.0
    for i in members:
        for j in members:
            earlier = patients.months[i] < patients.months[j] and patients.dead[i]
            together = patients.months[i] == patients.months[j] and patients.dead[i] and not patients.dead[j]
            if earlier or together:
                pairs += 1
                won += 0.5 if risk[i] == risk[j] else float(risk[i] > risk[j])
    return won / pairs


def test_a_model_that_is_wrong_way_round_is_not_turned(draw):
    drawn = draw(0)
    right, wrong = judged(drawn.patients(drawn.hidden)), judged(drawn.patients(-drawn.hidden))
    assert wrong["model"].mean == pytest.approx(1 - right["model"].mean)
    assert wrong["clinical"].mean == right["clinical"].mean == wrong["both"].mean


def test_a_fold_without_comparable_patients_is_left_out_of_the_mean(draw):
    drawn = draw(0)
    drawn.outcome.loc[drawn.outcome["fold"] == 4, "censorship"] = 1
    found = judged(drawn.patients(drawn.hidden))["both"]
    assert np.isnan(found.folds[4])
    assert found.mean == pytest.approx(found.folds[:4].mean())
    assert np.isfinite(found.resampled).all()


def gains(draw, seeds, risk):
    shown = []
    for seed in range(seeds):
        drawn = draw(seed, n=150)
        shown.append(differences(judged(drawn.patients(risk(drawn, np.random.default_rng(1000 + seed)))))["both"])
    return shown


def test_noise_adds_nothing(draw, monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)
    shown = gains(draw, 40, lambda drawn, rng: rng.normal(size=150))
    assert np.mean([found["lower"] <= 0 for found in shown]) >= 0.9
    assert abs(np.mean([found["difference"] for found in shown])) < 0.01


def test_a_copy_of_the_covariates_adds_nothing(draw, monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)
    shown = gains(draw, 20, lambda drawn, rng: predict_arms(drawn.patients(drawn.hidden))["clinical"].risk)
    assert [found["difference"] for found in shown] == pytest.approx(np.zeros(20), abs=1e-9)


def test_a_model_trained_on_noise_and_covariates_adds_nothing(draw, monkeypatch):
    """Its networks of two folds were trained on each other's test patients: no fit may turn this into a gain."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)

    def train(drawn, rng):
        patients = drawn.patients(drawn.hidden)
        x = np.hstack(
            [np.nan_to_num(patients.covariates - np.nanmean(patients.covariates, axis=0)), rng.normal(size=(150, 20))]
        )
        risk = np.empty(150)
        for fold in patients.folds:
            here = patients.fold == fold
            fit = ridge_cox(x[~here], patients.months[~here], patients.dead[~here], np.full(x.shape[1], 0.1))
            risk[here] = x[here] @ fit
        return risk

    shown = gains(draw, 30, train)
    assert np.mean([found["lower"] <= 0 for found in shown]) >= 0.9
    assert np.mean([found["difference"] for found in shown]) < 0.005


def test_what_only_the_model_knows_shows(draw, monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)
    shown = gains(draw, 20, lambda drawn, rng: drawn.hidden)
    assert np.mean([found["difference"] for found in shown]) > 0.03
    assert np.mean([found["lower"] > 0 for found in shown]) >= 0.7
