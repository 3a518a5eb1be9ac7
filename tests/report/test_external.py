"""The report's section on external validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ccl.io.errors import InputError
from ccl.pages.html import render
from ccl.report.external import read_validations, validation_table


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """The entries of a validation that the section shows."""
    at = {"months": 12.0, "intercept": 0.5, "slope": 0.6, "reason": None, "predicted": 0.8, "observed": 0.7}
    limits = {
        f"{name}_{end}": value for name in ("intercept", "slope") for end, value in (("lower", 0.1), ("upper", 0.9))
    }
    facts: dict[str, Any] = {
        "cohort": "south", "bundle": "ours", "model": "snn", "method": "snn", "encoder": "none", "weights": "none",
        "synthetic": True, "reads": ["genomics"], "trained_on": {"cohort": "north", "n_patients": 90, "n_events": 40},
        "n_patients": 80, "n_events": 30, "expression": "z-score", "left_out": {"P1": "no slides"},
        "concordance": {"c_index": 0.62, "lower": 0.53, "upper": 0.71}, "uno": {"c_index": 0.6},
        "drop": {"internal": 0.75, "external": 0.62, "difference": -0.13, "se": 0.05, "lower": -0.23, "upper": -0.03,
                 "p": 0.01, "reason": None},
        "calibration": [{**at, **limits}], "integrated_brier": {"score": 0.2, "kaplan_meier": 0.19},
        "groups": {"n_high": 40, "n_low": 40, "hazard_ratio": 1.5, "hazard_ratio_lower": 0.8,
                   "hazard_ratio_upper": 2.7},
        "added": None, "warnings": ["30 deaths: few."],
        "shift": {"recorded": True, "covariates": None, "genes": None, "slides": None, "features": None},
    }  # fmt: skip
    path = tmp_path / "south" / "predict" / "ours" / "evaluation.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(facts))
    return path


def test_the_section_shows_the_drop_and_links_to_the_page(evaluation: Path, tmp_path: Path) -> None:
    (one,) = read_validations([evaluation])
    page = render("external.html", "ccl.report", external=[one.shown(tmp_path / "report")])
    assert 'href="../south/predict/ours/validation.html"' in page
    assert "−0.130 [−0.230, −0.030]" in page  # noqa: RUF001 (the minus sign of print)
    assert "a loss" in page
    assert "synthetic data" in page
    assert "30 deaths: few." in page


def test_the_table_has_a_row_for_each_validation(evaluation: Path) -> None:
    (row,) = validation_table(read_validations([evaluation])).to_dict("records")
    assert row["trained_on"] == "north"
    assert row["internal_c_index"] == 0.75
    assert row["slope"] == 0.6
    assert row["hazard_ratio"] == 1.5
    assert row["data"] == "synthetic"


def test_a_file_of_another_stage_is_refused(evaluation: Path) -> None:
    evaluation.write_text(json.dumps({"cohort": "south"}))
    with pytest.raises(InputError, match="ccl validate"):
        read_validations([evaluation])
