"""What a model adds, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ccl.evaluate.compare import holm
from ccl.pages.numbers import digits_for, format_p, number, plural

SIGNIFICANT = 0.05
"""Significance level of a test."""

Reads = Literal["other", "covariates too", "covariates alone"]
"""What a model reads: data other than the covariates, the covariates too, or only the covariates."""


def reads_of(reads: Sequence[str]) -> Reads:
    """Return whether a model reads the covariates, and whether it reads anything else."""
    if "clinical" not in reads:
        return "other"
    return "covariates alone" if tuple(reads) == ("clinical",) else "covariates too"


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence.

    >>> listed(["age"]), listed(["age", "sex", "stage"])
    ('age', 'age, sex and stage')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def headline_arm(reads: Reads) -> str:
    """Return the arm whose difference to the covariates is the main result of a model.

    A model that reads the covariates is compared with them directly: ``both`` would count them twice.
    """
    return "both" if reads == "other" else "model"


def sentence(model: str, covariates: Sequence[str], found: Mapping[str, Any], reads: Reads = "other") -> str:
    """Return what a model adds to covariates, in one or two sentences.

    Parameters
    ----------
    model : str
        Title of the model.
    covariates : sequence of str
        Names of the covariates.
    found : mapping
        Entry of a protocol in ``added.json``.
    reads : Reads
        What the model reads.
    """
    known = listed(covariates)
    if found["reason"]:
        return f"What {model} adds to {known} is not known: {found['reason']}."
    if reads == "covariates alone":
        return f"{model} reads nothing but {known}, so it cannot add anything to them."
    gain = found["differences"][headline_arm(reads)]
    if gain["lower"] is None:
        return f"What {model} adds to {known} is not known: no two patients of a fold can be compared."
    verb = "raises" if gain["difference"] > 0 else "lowers"
    digits = digits_for(*(gain[key] for key in ("difference", "lower", "upper")))
    size, lower, upper = (number(value, digits) for value in (abs(gain["difference"]), gain["lower"], gain["upper"]))
    change = f"{verb} the C-index by {size}" if gain["difference"] else "does not change the C-index"
    verdict = "a gain" if gain["lower"] > 0 else "a loss" if gain["upper"] < 0 else "no clear difference"
    found_out = f"{change} (95 % interval {lower} to {upper}): {verdict}."
    if reads == "other":
        return f"Adding {model} to {known} {found_out}"
    return f"{model} reads {known} too. Compared with them alone, it {found_out}"


def for_whom(tests: Sequence[Mapping[str, Any]]) -> str:
    """Return whether a model predicts better in some sub-groups than in others, in a sentence.

    Parameters
    ----------
    tests : sequence of mappings
        Rows of ``interactions.csv`` with a p-value: ``covariate``, ``p``.  The p-values are corrected for their number
        (Holm).
    """
    if not tests:
        return "No covariate has two groups with enough deaths to test in which of them it predicts better."
    names = [str(test["covariate"]) for test in tests]
    corrected = dict(zip(names, holm([test["p"] for test in tests]), strict=True))
    differing = [f"{name} (p {format_p(p)})" for name, p in corrected.items() if p < SIGNIFICANT]
    if not differing:
        tested = f"{plural(len(tests), 'test')} for {listed(names)}"
        return f"No sub-groups were found in which it predicts better or worse ({tested})."
    after = f", corrected for {len(tests)} tests" if len(tests) > 1 else ""
    return f"The hazard ratio of its risk differs by {listed(differing)}{after}."


def against_one_curve(brier: float | None, kaplan_meier: float | None) -> str:
    """Return a warning if a model predicts survival worse than one Kaplan-Meier curve for all patients, else nothing.

    Parameters
    ----------
    brier, kaplan_meier : float, optional
        Integrated Brier scores of the model alone, and of the curve.
    """
    if brier is None or kaplan_meier is None or brier <= kaplan_meier:
        return ""
    return (
        f"Alone it predicts survival worse than one curve for all patients"
        f" (Brier score {number(brier)} against {number(kaplan_meier)})."
    )
