"""What a model adds, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ccl.pages.numbers import number

Reads = Literal["other", "covariates too", "covariates alone"]
"""What a model reads: data other than the covariates, the covariates too, or only the covariates."""


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
    size = number(abs(gain["difference"]))
    verb = "raises" if gain["difference"] > 0 else "lowers"
    change = f"{verb} the C-index by {size}" if float(size) else "does not change the C-index"
    verdict = "a gain" if gain["lower"] > 0 else "a loss" if gain["upper"] < 0 else "no clear gain"
    found_out = f"{change} (95 % interval {number(gain['lower'])} to {number(gain['upper'])}): {verdict}."
    if reads == "other":
        return f"Adding {model} to {known} {found_out}"
    return f"{model} reads {known} too. Compared with them alone, it {found_out}"
