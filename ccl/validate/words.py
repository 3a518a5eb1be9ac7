"""A validation in sentences, for its page, the report and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccl.added.words import Reads, listed, sentence
from ccl.pages.numbers import digits_for, number, percent, plural, signed
from ccl.validate.shift import LARGE


def reads_of(facts: Mapping[str, Any]) -> Reads:
    """Return whether the model reads the covariates, and whether it reads anything else."""
    if "clinical" not in facts["reads"]:
        return "other"
    return "covariates alone" if facts["reads"] == ["clinical"] else "covariates too"


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


def calibration_sentence(found: Sequence[Mapping[str, Any]]) -> str:
    """Return how predicted survival is calibrated at the last time with an intercept."""
    known = [row for row in found if row["intercept"] is not None]
    if not known:
        reasons = list(dict.fromkeys(row["reason"] for row in found if row["reason"]))
        return f"Calibration is not known: {reasons[0] if reasons else 'there is no time within follow-up'}."
    row = known[-1]
    text = (
        f"At {row['months']:g} months, {percent(row['predicted'], 0)} are predicted to be alive and"
        f" {percent(row['observed'], 0)} are."
    )
    low, high = row["intercept_lower"], row["intercept_upper"]
    text += f" The intercept is {number(row['intercept'], 2)} ({number(low, 2)} to {number(high, 2)}): "
    text += (
        "more patients die than predicted." if low > 0
        else "fewer patients die than predicted." if high < 0
        else "no clear difference on average."
    )  # fmt: skip
    if row["slope"] is None:
        return text
    low, high = row["slope_lower"], row["slope_upper"]
    text += f" The slope is {number(row['slope'], 2)} ({number(low, 2)} to {number(high, 2)}): "
    return text + (
        "predictions are too extreme." if high < 1
        else "predictions are too alike." if low > 1
        else "no clear difference from 1."
    )  # fmt: skip


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
    return sentence(facts["model"], facts["added"]["covariates"], facts["added"], reads_of(facts))


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
    columns = sum(row["columns"] for row in genes["families"])
    share = sum(row["large"] * row["columns"] for row in genes["families"]) / columns
    words = [f"The means of {percent(share, 0)} of the gene columns differ by more than {LARGE} standard deviations."]
    return words if share > 0.5 else []


def _slides(slides: Mapping[str, Any] | None) -> list[str]:
    if not slides or not slides["other_scale"]:
        return []
    here = listed([f"{scale} um/px" for scale in slides["external"]["scales"]["level0_mpp"]])
    return [f"{percent(slides['other_scale'], 0)} of the slides have a scale that no training slide has ({here})."]
