"""The targets, and the messages when there is nothing to make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ccl.io.errors import ConfigError
from ccl.plan import Plan
from tests.plan.conftest import job

Make = Callable[..., Plan]
GENES = {"snn": {}}


@pytest.mark.parametrize(
    ("target", "models", "expected"),
    [
        ("table1", {}, "nothing to compare"),
        ("explain", GENES, "nothing to explain"),
        ("figure8", GENES, "nothing to draw"),
        ("figure9", GENES, "nothing to draw"),
        ("predict", GENES, "nothing to predict"),
    ],
)
def test_a_target_with_nothing_to_make_says_what_it_needs(
    plan: Make, target: str, models: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        getattr(plan(models=models).targets, target)(job())
    assert f"snakemake {target}" in str(caught.value)
    assert caught.value.expected


def test_a_figure_of_evaluations_needs_a_model(plan: Make) -> None:
    with pytest.raises(ConfigError, match="snakemake figure6"):
        plan(models={}).targets.judged_figure("6")(job())


def test_without_models_slides_become_features(plan: Make) -> None:
    targets = plan(models={}).targets.default(["report.html"])
    assert "report.html" not in targets
    assert [path for path in targets if "/embed/" in path] == [
        f"<results>/blca/embed/{encoder}/manifest.tsv" for encoder in ("resnet50", "uni")
    ]


def test_the_default_is_the_report_and_the_contact_sheets(plan: Make) -> None:
    assert plan().targets.default(["report.html"]) == ["report.html", "<results>/blca/quality/contact_sheet.html"]


def test_slides_can_be_looked_at_before_they_are_embedded(plan: Make) -> None:
    assert plan().targets.look(job()) == ["<results>/blca/look/contact_sheet.html"]


def test_each_model_that_can_be_explained_is(plan: Make) -> None:
    targets = plan().targets
    assert len(targets.explain(job())) == 4
    assert targets.explained_in_report(job()) == [f"<results>/blca/explain/{e}/ccl" for e in ("resnet50", "uni")]
    assert plan(explain={"count": 0}).targets.explained_in_report(job()) == []


def test_a_named_patient_is_explained_in_its_cohort(plan: Make) -> None:
    made = plan(explain={"patients": ["P1"]})
    assert made.options.explain(job(cohort="blca")) == "--patients P1 --count 2"
    assert len(made.targets.explained_in_report(job())) == 2
    with pytest.raises(ConfigError, match="P99"):
        plan(explain={"patients": ["P99"]}).targets.explained_in_report(job())


def test_points_of_the_ablations_are_trained_where_there_is_all_that_ccl_reads(plan: Make) -> None:
    made = plan()
    assert [cohort.name for cohort in made.targets.ablated()] == ["blca"]
    assert made.options.without == "--without genes"
    assert len(made.inputs.ablation(4)(job())) == 2 * 4
    assert len(made.inputs.ablations(job())) == 2 * 20
    with pytest.raises(ConfigError, match="nothing to ablate"):
        plan(models={"ccl": {"method": "snn"}}).targets.ablated()


def test_a_figure_is_drawn_for_each_encoder_model_and_protocol(plan: Make) -> None:
    files = plan().targets.judged_figure("6")(job())
    assert len(files) == 5 * 2 * 2
    assert len(plan().targets.figure8(job())) == 2 * 2


def test_what_is_added_is_judged_where_there_are_covariates_and_follow_up(plan: Make, config: dict[str, Any]) -> None:
    assert plan().targets.added() == plan().targets.added_table() == []
    clinical = {"covariates": {"age": {"kind": "numeric"}}}
    cohorts = {name: {**cohort, "clinical": clinical} for name, cohort in config["cohorts"].items() if name == "genes"}
    made = plan(cohorts={**config["cohorts"], **cohorts})
    assert made.targets.added() == ["<results>/genes/added/none/snn/added.json"]
    assert made.targets.added_table() == ["<results>/report/tables/added.csv"]
    assert set(made.inputs.added) == {"evaluation", "risks", "clinical"}


def test_the_report_describes_the_cohorts_with_covariates(plan: Make, config: dict[str, Any]) -> None:
    genes = config["cohorts"]["genes"]
    described = {**genes, "clinical": {"covariates": {"age": {"kind": "numeric"}}}}
    made = plan(cohorts={"a": described, "b": genes, "c": described}, models={"snn": {}})
    assert made.targets.characteristics() == [f"<results>/{name}/clinical/characteristics.csv" for name in "ac"]
    assert plan(cohorts={"a": described}, models={}).targets.characteristics() == []
