"""A validation in sentences, for its page, the report and the model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccl.added.words import listed, reads_of, sentence
from ccl.pages.numbers import digits_for, number, percent, plural, signed
from ccl.validate.shift import LARGE

MANY = 0.5
"""A kind of omics is told if a larger share of its columns differs."""


def c_index_sentence(facts: Mapping[str, Any]) -> str:
    """Return the C-index in the new cohort."""
    found = facts["concordance"]
    if found["c_index"] is None:
        return "The C-index is not defined: no two patients can be compared."
    limits = (
        f" (95 % interval {number(found['lower'])} to {number(found['upper'])})" if found["lower"] is not None else ""
    )
    chance = found["lower"] is not None and found["lower"] <= 0.5
    verdict = ": not clearly better than chance" if chance else ""
    return f"The C-index is {number(found['c_index'])}{limits}{verdict}."


def drop_sentence(facts: Mapping[str, Any]) -> str:
    """Return the difference to the C-index in cross-validation."""
    found = facts["drop"]
    if found["reason"]:
        return f"How much that differs from the training is not known: {found['reason']}."
    digits = digits_for(*(found[key] for key in ("difference", "lower", "upper")))
    size, lower, upper = (signed(found[key], digits) for key in ("difference", "lower", "upper"))
    verdict = "a loss" if found["upper"] < 0 else "a gain" if found["lower"] > 0 else "no clear difference"
    return (
        f"In cross-validation on {facts['trained_on']['cohort']} it was {number(found['internal'])};"
        f" the difference is {size} (95 % interval {lower} to {upper}): {verdict}."
    )


def groups_sentence(facts: Mapping[str, Any]) -> str:
    """Return the hazard ratio of the groups."""
    found = facts["groups"]
    sizes = f"{plural(found['n_high'], 'patient')} above the cut of the training, {found['n_low']} up to it"
    if found["hazard_ratio"] is None:
        return f"{sizes}: no hazard ratio, as {found['hazard_ratio_reason']}."
    values = (number(found[key], 2) for key in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper"))
    return "{}: hazard ratio {} ({} to {}).".format(sizes, *values)


def added_sentence(facts: Mapping[str, Any]) -> str:
    """Return what the model adds to the covariates in the new cohort."""
    if facts["added"] is None:
        return "The new cohort has no covariates, so what the model adds to them is not known."
    return sentence(facts["model"], facts["added"]["covariates"], facts["added"], reads_of(facts["reads"]))


def shift_sentences(shift: Mapping[str, Any]) -> list[str]:
    """Return the differences between the cohorts that a reader should know first."""
    if not shift["recorded"]:
        return ["The bundle is of an earlier version: the patients of its training are not recorded."]
    found = [*_covariates(shift), *_genes(shift), *_slides(shift["slides"])]
    if (features := shift["features"]) and features["beyond"] > 0.05:
        found.append(
            f"The features of {percent(features['beyond'], 0)} of the patients lie farther from the training mean than"
            " those of 99 % of the training patients."
        )
    return found or ["No large difference from the training patients was found."]


def _covariates(shift: Mapping[str, Any]) -> list[str]:
    rows = shift["covariates"] or ()
    large = [row["name"] for row in rows if row["difference"] is not None and abs(row["difference"]) > LARGE]
    other = [f"{row['name']} ({row['reason']})" for row in rows if row["reason"]]
    words = [f"The patients differ in {listed(large)} (standardised difference above {LARGE})."] if large else []
    return words + ([f"Not comparable: {listed(other)}."] if other else [])


def _genes(shift: Mapping[str, Any]) -> list[str]:
    genes = shift["genes"]
    if not genes:
        return []
    return [
        f"The means of {percent(row['large'], 0)} of the {row['columns']} columns of {row['kind']} differ by more than"
        f" {LARGE} standard deviations."
        for row in genes["kinds"]
        if row["large"] > MANY
    ]


def _slides(slides: Mapping[str, Any] | None) -> list[str]:
    if not slides or not slides["other_scale"]:
        return []
    here = listed([f"{scale} um/px" for scale in slides["external"]["scales"]["level0_mpp"]])
    return [f"{percent(slides['other_scale'], 0)} of the slides have a scale that no training slide has ({here})."]
