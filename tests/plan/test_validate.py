"""Cohorts that validate bundles, and bundles of models that the same config trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ccl.io.errors import CclError
from ccl.plan import Plan
from tests.plan.conftest import job

Make = Callable[..., Plan]


@pytest.fixture
def hospitals(plan: Make, config: dict[str, Any]) -> Make:
    """Return a function that plans a second hospital, whose entry it takes changes of."""

    def make(**entry: Any) -> Plan:
        south = {**config["cohorts"]["blca"], "external": True, "predict_with": {"ours": OURS}, **entry}
        return plan(cohorts={"north": config["cohorts"]["blca"], "south": south})

    return make


OURS = {"cohort": "north", "model": "ccl", "encoder": "resnet50"}


def test_a_model_of_the_config_is_bundled_predicted_with_and_validated(hospitals: Make) -> None:
    made = hospitals()
    wildcards = job(cohort="south", bundle="ours")
    files = made.inputs.validate(wildcards)
    assert files["bundle"][0] == "results/north/bundle/resnet50/ccl/bundle.json"
    assert files["clusters"] == "<results>/{cohort}/cluster/resnet50/k6.h5"
    assert files["patients"] == "<results>/{cohort}/cohort/patients.csv"
    assert made.options.bundle_folder(wildcards) == "results/north/bundle/resnet50/ccl"
    wanted = made.targets.validate(["the report"])(job())
    assert wanted == ["<results>/south/predict/ours/evaluation.json", "the report"]
    assert set(wanted) <= {*made.targets.default(["the report"])}


def test_no_model_is_trained_on_an_external_cohort(hospitals: Make) -> None:
    assert {run.cohort for run in hospitals().runs} == {"north"}
    assert {run.cohort for run in hospitals(external=False).runs} == {"north", "south"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"predict_with": {"ours": {**OURS, "model": "mcat"}}}, "no such model is trained"),
        ({"predict_with": {"ours": {**OURS, "cohort": "south"}}}, "no such model is trained"),
        ({"predict_with": None}, "`external` needs follow-up"),
        ({"folds": "folds"}, "`external` draws no folds"),
        ({"slides": None}, "needs data that a cohort does not have"),
    ],
)
def test_what_cannot_be_validated_is_refused(hospitals: Make, entry: dict[str, Any], expected: str) -> None:
    with pytest.raises(CclError, match=expected):
        hospitals(**entry)


def test_validation_needs_follow_up(plan: Make) -> None:
    with pytest.raises(CclError, match="there is nothing to validate"):
        plan().targets.validate([])(job())
