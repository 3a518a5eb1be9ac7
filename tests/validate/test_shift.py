"""Differences between training and new patients, against definitions by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccl.io.covariates import Clinical, Covariate
from ccl.predict.training import describe_covariates
from ccl.validate.shift import compare_covariates, standardised_difference

AGE, SEX = Covariate("age", "numeric", unit="years"), Covariate("sex", "categorical", ("f", "m"))
STAGE = Covariate("stage", "ordinal", ("I", "II", "III"))


def clinical(*covariates: Covariate, n: int = 60, seed: int = 0, older: float = 0.0) -> Clinical:
    rng = np.random.default_rng(seed)
    columns = {
        each.name: rng.choice(each.levels, n) if each.levels else rng.normal(60 + older, 8, n) for each in covariates
    }
    return Clinical(pd.DataFrame(columns, index=[f"P{i}" for i in range(n)]), covariates, {})


def describe(own: Clinical) -> list[dict]:
    return describe_covariates(own, own.patients)


def test_a_numeric_difference_is_in_standard_deviations() -> None:
    first, second = clinical(AGE), clinical(AGE, seed=1, older=8)
    a, b = (own.table["age"].to_numpy() for own in (first, second))
    expected = (b.mean() - a.mean()) / np.sqrt((a.var() + b.var()) / 2)
    assert standardised_difference(describe(first)[0], describe(second)[0]) == pytest.approx(expected)


def test_a_difference_of_two_levels_is_that_of_their_shares() -> None:
    first, second = clinical(SEX), clinical(SEX, seed=1)
    p, q = ((own.table["sex"] == "m").mean() for own in (first, second))
    expected = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert standardised_difference(describe(first)[0], describe(second)[0]) == pytest.approx(expected)
    assert standardised_difference(describe(first)[0], describe(first)[0]) == pytest.approx(0)


def test_what_cannot_be_compared_has_a_reason() -> None:
    coarse = Covariate("stage", "ordinal", ("I", "II"))
    inside, outside = clinical(AGE, STAGE), clinical(AGE, coarse, SEX, seed=1)
    rows = compare_covariates(describe(inside), outside, outside.patients)
    assert rows is not None
    found = {row["name"]: row for row in rows}
    assert found["age"]["reason"] is None
    assert found["stage"]["reason"] == "coded otherwise: ordinal (I, II, III) in training, ordinal (I, II) here"
    assert found["sex"]["reason"] == "only the new cohort has it"
    assert found["stage"]["difference"] is found["sex"]["difference"] is None


def test_a_constant_or_missing_covariate_has_no_infinite_difference() -> None:
    first = clinical(AGE)
    same = Clinical(first.table.assign(age=60.0), (AGE,), {})
    older = Clinical(first.table.assign(age=70.0), (AGE,), {})
    nothing = Clinical(first.table.assign(age=np.nan), (AGE,), {})
    assert standardised_difference(describe(same)[0], describe(same)[0]) == 0
    assert standardised_difference(describe(same)[0], describe(older)[0]) is None
    assert standardised_difference(describe(first)[0], describe(nothing)[0]) is None
