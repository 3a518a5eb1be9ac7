"""The concordance index against scikit-survival's stored numbers, scikit-survival itself, and its own symmetries."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.metrics import concordance_index_censored

from ccl.evaluate import concordance
from ccl.evaluate.concordance import concordance_index
from ccl.io.errors import ModelError

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["random", "ties", "neartol", "constant_risk", "same_time_event_and_censor"])
def test_golden(name):
    case = np.load(GOLDEN / f"cindex_{name}.npz")
    found = concordance_index(case["time"], ~case["event"], case["risk"])
    assert found == pytest.approx(float(case["cindex"]), abs=1e-8)


patient = st.tuples(st.integers(0, 6), st.booleans(), st.integers(-3, 3))


@settings(max_examples=100)
@given(st.lists(patient, min_size=2, max_size=12))
def test_agrees_with_scikit_survival_on_tied_cohorts(cohort):
    months, censored, risk = (np.array(column) for column in zip(*cohort, strict=True))
    found = concordance_index(months, censored, risk)
    if math.isnan(found):
        # Nobody died, or nobody outlived a death: counted one pair at a time.
        deaths = [m for m, c in zip(months, censored, strict=True) if not c]
        assert not any(d < m or (d == m and c) for d in deaths for m, c in zip(months, censored, strict=True))
    else:
        assert found == pytest.approx(concordance_index_censored(~censored, months, risk.astype(float))[0], abs=1e-12)
        assert found + concordance_index(months, censored, -risk) == pytest.approx(1)


def test_blocks_of_pairs_add_up(monkeypatch):
    rng = np.random.default_rng(0)
    months, censored, risk = rng.integers(0, 30, 200), rng.random(200) < 0.5, rng.normal(size=200)
    whole = concordance_index(months, censored, risk)
    monkeypatch.setattr(concordance, "PAIRS_AT_ONCE", 700)
    assert concordance_index(months, censored, risk) == whole


def test_no_comparable_pair_is_nan():
    assert math.isnan(concordance_index([3.0, 4.0], [1, 1], [0.1, 0.2]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_risk_that_is_no_number_is_refused(bad):
    with pytest.raises(ModelError, match="1 of 2 risks"):
        concordance_index([3.0, 4.0], [0, 1], [bad, 0.2])
