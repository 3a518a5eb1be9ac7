"""The paper's own numbers."""

from __future__ import annotations

import pytest

from ccl.results.published import COHORTS, published


@pytest.mark.parametrize("cohort", ["ucec", "UCEC", "tcga_ucec", "TCGA-UCEC"])
def test_published_number_is_found_under_any_spelling_of_the_cohort(cohort):
    assert published(1, "ccl", "resnet50", cohort).mean == 0.7026


@pytest.mark.parametrize(
    ("method", "encoder", "cohort"),
    [("ccl", "resnet50", "kirc"), ("ccl", "none", "blca"), ("snn", "resnet50", "blca"), ("mine", "resnet50", "blca")],
)
def test_there_is_no_published_number_for_anything_else(method, encoder, cohort):
    assert published(1, method, encoder, cohort) is None


@pytest.mark.parametrize(
    ("model", "encoder"), [("snn", "none"), ("cmta", "resnet50"), ("ccl", "resnet50"), ("ccl", "uni")]
)
def test_published_overall_is_the_mean_of_the_five(model, encoder):
    mean = sum(published(1, model, encoder, cohort).mean for cohort in COHORTS) / len(COHORTS)
    assert published(1, model, encoder, "overall").mean == pytest.approx(mean, abs=6e-5)
