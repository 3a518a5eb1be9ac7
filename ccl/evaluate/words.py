"""Calibration in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccl.pages.numbers import number, percent


def calibration_sentences(found: Sequence[Mapping[str, Any]]) -> str:
    """Return how predicted survival is calibrated at each time with an intercept.

    Parameters
    ----------
    found : sequence of mappings
        As :func:`ccl.evaluate.calibration.calibrate` returns them, in order of time.
    """
    known = [row for row in found if row["intercept"] is not None]
    if known:
        return " ".join(map(_at, known))
    reasons = list(dict.fromkeys(row["reason"] for row in found if row["reason"]))
    return f"Calibration is not known: {reasons[0] if reasons else 'there is no time within follow-up'}."


def _at(row: Mapping[str, Any]) -> str:
    low, high = row["intercept_lower"], row["intercept_upper"]
    average = (
        "more patients die than predicted" if low > 0
        else "fewer patients die than predicted" if high < 0
        else "no clear difference on average"
    )  # fmt: skip
    text = (
        f"At {row['months']:g} months, {percent(row['predicted'], 0)} are predicted to be alive and"
        f" {percent(row['observed'], 0)} are. The intercept is {_with_interval(row, 'intercept')}: {average}."
    )
    if row["slope"] is None:
        return text
    low, high = row["slope_lower"], row["slope_upper"]
    spread = (
        "predictions are too extreme" if high < 1
        else "predictions are too alike" if low > 1
        else "no clear difference from 1"
    )  # fmt: skip
    return f"{text} The slope is {_with_interval(row, 'slope')}: {spread}."


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    lower, upper = (number(row[f"{name}_{end}"], 2) for end in ("lower", "upper"))
    return f"{number(row[name], 2)} ({lower} to {upper})"
