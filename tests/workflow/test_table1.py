"""`snakemake table1`: methods of every kind through the graph, and cohorts that lack a modality."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")


def test_methods_that_read_bags_join_the_comparison(workspace: Workspace) -> None:
    workspace.set("models.attmil", {"width": 16, "hidden": 16})
    workspace.set("models.cox-multimodal", {})
    assert workspace.planned("table1") == {"train": 8, "evaluate": 4, "table1": 1}
    result = workspace.snakemake("table1")
    assert result.returncode == 0, result.stdout
    folder = workspace.folder / "results" / "table1"
    table = pd.read_csv(folder / "table1.csv")
    assert set(table["model"]) == {"ccl", "snn", "attmil", "cox-multimodal"}
    of_attmil = table[table["model"] == "attmil"].dropna(subset="c_index")
    # Each cohort has features of its own encoder, so no model with slides has both.
    assert set(of_attmil["cohort"] + " " + of_attmil["encoder"]) == {"tiny resnet50", "bags planted"}
    assert "the cohort has no features of planted" in set(table["reason"])
    assert len(pd.read_csv(folder / "table3.csv")) == 4 * 2
    for number in (1, 2, 3):
        assert "Careful: the patients of" in (folder / f"table{number}.tex").read_text()
    for target in ("table1", "table2", "table3"):
        assert workspace.planned(target) == {}


@pytest.mark.parametrize("target", ["table2", "table3"])
def test_each_table_has_a_target_that_asks_for_the_evaluations_alone(finished: Workspace, target: str) -> None:
    assert finished.planned(target) == {"table1": 1, target: 1}


def test_a_cohort_without_slides_is_an_error_or_by_choice_a_blank(workspace: Workspace) -> None:
    del workspace.config["cohorts"]["tiny"]["slides"]
    refused = workspace.snakemake("table1")
    assert refused.returncode != 0
    assert "no slides" in refused.stdout
    assert "missing_modality: blank" in refused.stdout
    workspace.set("missing_modality", "blank")
    result = workspace.snakemake("table1")
    assert result.returncode == 0, result.stdout
    table = pd.read_csv(workspace.folder / "results" / "table1" / "table1.csv")
    blank = table[(table["model"] == "ccl") & (table["cohort"] == "tiny")]
    assert set(blank["reason"]) == {"the cohort has no slides"}
    assert blank["c_index"].isna().all()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("models.snn", {"track": "their own"}, "unified"), ("models.nope", {}, "unknown method")],
)
def test_an_unknown_method_or_track_is_refused(workspace: Workspace, key: str, value: object, expected: str) -> None:
    workspace.set(key, value)
    result = workspace.snakemake("table1", "--dry-run")
    assert result.returncode != 0
    assert expected in result.stdout


@pytest.mark.parametrize("target", ["table1", "table2", "table3"])
def test_without_a_model_there_is_nothing_to_compare(workspace: Workspace, target: str) -> None:
    workspace.set("models", {})
    result = workspace.snakemake(target, "--dry-run")
    assert result.returncode == 1
    assert "nothing to compare" in result.stdout.lower()
    assert "Usage:" not in result.stdout
