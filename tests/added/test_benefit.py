"""Net benefit against definitions by hand and lifelines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from ccl.added.arms import predict_arms
from ccl.added.benefit import LEAST_ABOVE, decision_curves, net_benefit


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**6), st.floats(0.01, 0.95))
def test_without_censoring_it_counts_true_and_false_positives(seed, threshold):
    rng = np.random.default_rng(seed)
    months, death = rng.exponential(20, 40), rng.random(40)
    treated = death > threshold
    dies = months <= 15
    expected = (treated & dies).mean() - (treated & ~dies).mean() * threshold / (1 - threshold)
    assert net_benefit(months, np.zeros(40), death, 15, threshold) == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.floats(0.01, 0.9))
def test_with_censoring_it_is_that_of_kaplan_meier(seed, threshold):
    rng = np.random.default_rng(seed)
    months, death, censorship = np.ceil(rng.exponential(20, 60)), rng.random(60), rng.integers(0, 2, 60)
    above = death > threshold
    found = net_benefit(months, censorship, death, 15, threshold)
    if not above.any():
        assert found == 0
        return
    curve = KaplanMeierFitter().fit(months[above], censorship[above] == 0)
    alive = float(curve.predict(15))
    if alive > 0 and months[above].max() < 15:
        assert np.isnan(found)
        return
    share = above.mean()
    assert found == pytest.approx((1 - alive) * share - alive * share * threshold / (1 - threshold))


def test_curves_end_where_few_are_above_and_agree_where_all_are(draw):
    drawn = draw(0)
    patients = drawn.patients(drawn.hidden)
    arms = predict_arms(patients)
    at = np.array([12.0, 36.0])
    survival = {arm: own.survival(at) for arm, own in arms.items()}
    table = decision_curves(patients.months, patients.dead, survival, at)
    for place, (_, rows) in enumerate(table.groupby("months")):
        end = rows["threshold"].max()
        above = [(1 - arm.survival(at)[:, place] > end).sum() for arm in arms.values()]
        beyond = [(1 - arm.survival(at)[:, place] > end + 0.01).sum() for arm in arms.values()]
        assert max(above) >= LEAST_ABOVE > max(beyond)
    first = table[table["threshold"] == 0.01].iloc[1]
    assert first["both"] == pytest.approx(first["all"])
    assert (table["none"] == 0).all()
    # The hidden factor is worth something at thresholds where decisions differ.
    middle = table[(table["months"] == 36) & table["threshold"].between(0.3, 0.7)]
    assert (middle["both"] - middle["clinical"]).mean() > 0
