"""Sentences made from numbers."""

from __future__ import annotations

import pytest

from ccl.added.words import sentence


def found(difference, lower, upper, arm="both"):
    other = {"difference": 0.9, "lower": 0.8, "upper": 1.0}
    gains = {"both": other, "model": other, arm: {"difference": difference, "lower": lower, "upper": upper}}
    return {"reason": None, "differences": gains}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0.012, -0.004, 0.028), "raises the C-index by 0.012 (95 % interval −0.004 to 0.028): no clear gain."),  # noqa: RUF001
        ((0.021, 0.006, 0.037), "raises the C-index by 0.021 (95 % interval 0.006 to 0.037): a gain."),
        ((-0.02, -0.03, -0.01), "lowers the C-index by 0.020 (95 % interval −0.030 to −0.010): a loss."),  # noqa: RUF001
        ((0.0, 0.0, 0.0), "does not change the C-index (95 % interval 0.000 to 0.000): no clear gain."),
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
