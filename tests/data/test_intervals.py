"""Survival intervals against stored numbers, and where they cannot be made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccl.data.intervals import interval_edges, interval_labels
from ccl.io.errors import ConfigError


def test_golden():
    case = np.load(Path(__file__).parents[1] / "golden" / "binning.npz")
    edges = interval_edges(case["survival_months"], case["censorship"], 4)
    np.testing.assert_allclose(edges, case["bins"], atol=1e-9)
    np.testing.assert_array_equal(interval_labels(case["survival_months"], edges), case["disc_label"])


@pytest.mark.parametrize(
    ("cohort", "expected", "sizes"),
    [
        ("blca", (7.62, 13.57, 21.85), (63, 75, 95, 140)),
        ("luad", (10.0975, 20.55, 35.445), (77, 133, 123, 120)),
        ("ucec", (12.125, 23.46, 33.855), (61, 122, 80, 217)),
    ],
)
def test_real_cohorts_have_their_known_intervals(real_data, cohort, expected, sizes):
    import pandas as pd

    path = real_data / "tcga_omics_mcat" / f"tcga_{cohort}_all_clean.csv.zip"
    table = pd.read_csv(path, usecols=["case_id", "survival_months", "censorship"]).drop_duplicates("case_id")
    edges = interval_edges(table["survival_months"], table["censorship"], 4)
    np.testing.assert_allclose(edges[1:-1], expected, atol=1e-6)
    assert tuple(np.bincount(interval_labels(table["survival_months"], edges))) == sizes


@given(st.lists(st.floats(0, 300), min_size=4, max_size=40, unique=True), st.integers(2, 4))
def test_deaths_spread_evenly_and_every_patient_has_an_interval(months, n):
    try:
        edges = interval_edges(months, np.zeros(len(months)), n)
    except ConfigError:
        # Times closer than float precision can coincide as quantiles; nothing else may be refused.
        assert np.diff(np.sort(months)).min() < 1e-9
        return
    counts = np.bincount(interval_labels(months, edges), minlength=n)
    assert counts.sum() == len(months)
    assert counts.max() - counts.min() <= 2
    assert ((np.array(months) > edges[0]) & (np.array(months) < edges[-1])).all()


def test_a_left_edge_belongs_to_its_interval_and_outsiders_to_the_outer_ones():
    edges = np.array([0.0, 10.0, 20.0, 30.0])
    np.testing.assert_array_equal(interval_labels([-5, 9.99, 10, 20, 30, 99], edges), [0, 0, 1, 2, 2, 2])


@pytest.mark.parametrize(
    ("months", "censorship", "found"),
    [
        ([1, 2, 3, 4], [1, 1, 1, 1], "0 deaths at 0 different times"),
        ([1, 2, 3, 3, 9], [0, 0, 0, 0, 1], "4 deaths at 3 different times"),
        ([1, 1, 1, 1, 1, 1, 2, 3, 4], [0] * 9, "9 deaths at 4 different times"),
    ],
)
def test_too_few_times_of_death_are_refused(months, censorship, found):
    with pytest.raises(ConfigError, match=found):
        interval_edges(months, censorship, 4)
