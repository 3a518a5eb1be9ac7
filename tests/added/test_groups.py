"""Sub-groups and interaction tests."""

from __future__ import annotations

import numpy as np
import pytest

from ccl.added.groups import judge_groups
from ccl.evaluate.concordance import concordance_index


def test_levels_and_halves_have_their_own_c_index(draw):
    drawn = draw(0, n=300)
    patients = drawn.patients(drawn.hidden)
    table, tests = judge_groups(patients)
    median = drawn.clinical.table["age"].median()
    assert table["group"].tolist() == [
        f"up to {median:g} years",
        f"above {median:g} years",
        "I",
        "II",
        "III",
        "left",
        "right",
    ]
    row = table.set_index("group").loc["II"]
    here = drawn.clinical.table["stage"].eq("II").to_numpy()
    assert row["n_patients"] == here.sum()
    assert row["n_events"] == patients.dead[here].sum()
    assert row["c_index"] == pytest.approx(
        concordance_index(patients.months[here], ~patients.dead[here], patients.standardised[here])
    )
    assert row["lower"] < row["c_index"] < row["upper"]
    assert tests["covariate"].tolist() == ["age", "stage", "site"]
    assert tests["df"].tolist() == [1, 2, 1]


def test_a_group_with_few_deaths_is_listed_without_numbers(draw):
    drawn = draw(0)
    here = drawn.clinical.table["stage"].eq("I").to_numpy()
    drawn.outcome.loc[here, "censorship"] = 1
    table, tests = judge_groups(drawn.patients(drawn.hidden))
    row = table.set_index("group").loc["I"]
    assert row["reason"] == "fewer than 10 deaths"
    assert np.isnan(row["c_index"])
    assert tests.set_index("covariate").loc["stage", "groups"] == 2
    drawn.outcome["censorship"] = (drawn.outcome.index > 15).astype(int)
    _, tests = judge_groups(drawn.patients(drawn.hidden))
    assert tests["reason"].tolist() == ["fewer than two groups with 10 deaths"] * 3


def test_a_risk_that_works_in_one_half_interacts(draw):
    found, none = [], []
    for seed in range(10):
        drawn = draw(seed, n=400, missing=0.0)
        noise = np.random.default_rng(seed + 99).normal(size=400)
        _, tests = judge_groups(drawn.patients(np.where(drawn.age > 0, drawn.hidden, noise)))
        found.append(tests.set_index("covariate").loc["age", "p"])
        _, tests = judge_groups(drawn.patients(drawn.hidden))
        none.append(tests.set_index("covariate").loc["age", "p"])
    assert np.mean(np.array(found) < 0.05) >= 0.8
    assert np.mean(np.array(none) < 0.05) <= 0.3


def test_a_covariate_that_nobody_has_forms_no_groups(draw):
    drawn = draw(0)
    drawn.clinical.table["age"] = np.nan
    table, tests = judge_groups(drawn.patients(drawn.hidden))
    assert "age" not in set(table["covariate"])
    assert tests.set_index("covariate").loc["age", "reason"] == "fewer than two groups with 10 deaths"
