"""Sentences made from numbers."""

from __future__ import annotations

import pytest

from ccl.added.words import against_one_curve, for_whom, sentence


def found(difference, lower, upper, arm="both"):
    other = {"difference": 0.9, "lower": 0.8, "upper": 1.0}
    gains = {"both": other, "model": other, arm: {"difference": difference, "lower": lower, "upper": upper}}
    return {"reason": None, "differences": gains}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0.012, -0.004, 0.028), "raises the C-index by 0.012 (95 % interval −0.004 to 0.028): no clear difference."),  # noqa: RUF001
        ((0.021, 0.006, 0.037), "raises the C-index by 0.021 (95 % interval 0.006 to 0.037): a gain."),
        ((-0.02, -0.03, -0.01), "lowers the C-index by 0.020 (95 % interval −0.030 to −0.010): a loss."),  # noqa: RUF001
        (
            (-0.0004, -0.002, 0.0012),
            "lowers the C-index by 0.0004 (95 % interval −0.0020 to 0.0012): no clear difference.",  # noqa: RUF001
        ),
        ((0.021, 0.00004, 0.037), "raises the C-index by 0.02100 (95 % interval 0.00004 to 0.03700): a gain."),
        ((0.0, 0.0, 0.0), "does not change the C-index (95 % interval 0.000 to 0.000): no clear difference."),
    ],
)
def test_the_sentence_says_what_the_interval_says(numbers, expected):
    assert sentence("ccl", ["age", "sex", "stage"], found(*numbers)) == f"Adding ccl to age, sex and stage {expected}"


def test_a_model_that_reads_the_covariates_is_compared_in_their_place():
    said = sentence("snn", ["age"], found(0.03, 0.01, 0.05, arm="model"), "covariates too")
    gain = "it raises the C-index by 0.030 (95 % interval 0.010 to 0.050): a gain."
    assert said == f"snn reads age too. Compared with them alone, {gain}"
    said = sentence("cox-clinical", ["age", "sex"], found(0.03, 0.01, 0.05), "covariates alone")
    assert "reads nothing but age and sex" in said
    assert "0.03" not in said


def test_without_numbers_the_sentence_gives_the_reason():
    said = sentence("ccl", ["age"], {"reason": "all patients are in one fold"})
    assert said == "What ccl adds to age is not known: all patients are in one fold."


def test_for_whom_a_model_predicts_better_is_corrected_for_the_number_of_tests():
    tests = [{"covariate": "age", "p": 0.02}, {"covariate": "sex", "p": 0.5}, {"covariate": "stage", "p": 0.001}]
    said = for_whom(tests)
    assert said == "The hazard ratio of its risk differs by age (p 0.040) and stage (p 0.003), corrected for 3 tests."
    said = for_whom([{"covariate": "age", "p": 0.03}, {"covariate": "sex", "p": 0.5}])
    assert said == "No sub-groups were found in which it predicts better or worse (2 tests for age and sex)."
    assert "two groups with enough deaths" in for_whom([])


def test_a_model_that_predicts_worse_than_one_curve_is_named():
    assert "worse than one curve for all patients (Brier score 0.230 against 0.211)" in against_one_curve(0.23, 0.211)
    assert against_one_curve(0.2, 0.211) == ""
    assert against_one_curve(None, None) == ""
