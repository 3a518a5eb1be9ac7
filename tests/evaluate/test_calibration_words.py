"""Calibration in words: every time is told, and only clear differences are called so."""

from __future__ import annotations

from ccl.evaluate.words import calibration_sentences


def row(months: float, intercept: float, slope: float | None, *, half: float = 0.2) -> dict:
    ends = {"lower": -half, "upper": half}
    around = {f"intercept_{end}": intercept + gap for end, gap in ends.items()}
    around |= {f"slope_{end}": None if slope is None else slope + gap for end, gap in ends.items()}
    return {"months": months, "predicted": 0.8, "observed": 0.7, "intercept": intercept, "slope": slope, **around}


def test_each_time_has_its_verdict() -> None:
    text = calibration_sentences([row(12, 0.5, 0.6), row(36, -0.1, 1.1), row(60, -0.4, 1.5)])
    early, middle, late = (part for part in text.split("At ") if part)
    assert early.startswith("12 months, 80 % are predicted to be alive and 70 % are.")
    assert "more patients die than predicted" in early
    assert "too extreme" in early
    assert "no clear difference on average" in middle
    assert "no clear difference from 1" in middle
    assert "fewer patients die than predicted" in late
    assert "too alike" in late


def test_what_is_not_known_is_said_with_the_reason() -> None:
    unknown = {"months": 12, "intercept": None, "reason": "3 deaths by then, fewer than 10"}
    assert calibration_sentences([unknown]) == "Calibration is not known: 3 deaths by then, fewer than 10."
    assert calibration_sentences([]) == "Calibration is not known: there is no time within follow-up."
    assert "slope" not in calibration_sentences([row(12, 0.5, None)])
