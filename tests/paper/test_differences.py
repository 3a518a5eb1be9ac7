"""Paired differences against numbers worked out by hand and by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from ccl.paper.differences import Difference, overall, paired
from ccl.results.gather import gather


@pytest.fixture
def pair(make_evaluations):
    """The evaluations of the default and of one point."""

    def make(c_index):
        found = {e.model: e for cohort in gather(make_evaluations("a", c_index=c_index)) for e in cohort.evaluations}
        return found["ccl@k4"], found["ccl"]

    return make


def test_what_two_models_share_in_a_fold_and_seed_cancels(pair, spread):
    difference = paired(*pair(spread), "last")
    effects = np.array([-0.03, -0.02, -0.01, 0, 0.01])
    assert difference.mean == pytest.approx(effects.mean())
    # 80 patients train and 20 are tested: the variance over 5 folds counts as 1/5 + 20/80 of it.
    assert difference.se == pytest.approx(np.sqrt((1 / 5 + 20 / 80) * effects.var(ddof=1)))


def test_without_the_widening_it_would_be_student_s_paired_test(pair):
    rng = np.random.default_rng(0)
    scores = {model: rng.uniform(0.5, 0.8, (5, 2)) for model in ("ccl", "ccl@k4")}
    point, default = pair(lambda model, _, __, fold, seed: scores.get(model, scores["ccl"])[fold, seed])
    difference = paired(point, default, "last")
    test = ttest_rel(*(scores[model].mean(axis=1) for model in ("ccl@k4", "ccl")))
    wide = test.confidence_interval(0.95)
    half = (wide.high - wide.low) / 2 * np.sqrt((1 / 5 + 1 / 4) / (1 / 5))
    assert difference.interval == pytest.approx((difference.mean - half, difference.mean + half))


def test_the_protocols_are_never_mixed(pair):
    better = {"last": 0.01, "best-on-test": 0.05}
    both = pair(lambda model, _, protocol, fold, seed: 0.6 if model == "ccl" else 0.6 + better[protocol])
    assert paired(*both, "last").mean == pytest.approx(0.01)
    assert paired(*both, "best-on-test").mean == pytest.approx(0.05)


def test_a_fold_without_a_c_index_is_left_out(pair):
    point, default = pair(lambda model, _, __, fold, seed: None if fold else (0.6 if model == "ccl" else 0.7))
    difference = paired(point, default, "last")
    assert difference.mean == pytest.approx(0.1)
    assert difference.se is None
    assert difference.interval is None


def test_no_fold_in_common_is_no_difference(pair):
    assert paired(*pair(lambda *_: None), "last") is None


def test_cohorts_count_alike_and_their_errors_add_up():
    mean = overall([Difference(0.02, 0.03, 4), Difference(0.04, 0.04, 4)])
    assert mean.mean == pytest.approx(0.03)
    assert mean.se == pytest.approx(0.025)
    assert 4 < mean.freedom < 8
    assert overall([Difference(0.02, 0.03, 4), None]) is None
    assert overall([Difference(0.02, 0.03, 4), Difference(0.02, None, 0)]).se is None
    assert overall([Difference(0.0, 0.0, 4)] * 2).interval == (0, 0)
