"""The points as data: what they change, which of them are the default, and what the paper found for them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from ccl.config.check import check_config
from ccl.data.batch import Shape
from ccl.io.errors import ConfigError
from ccl.methods import get_method, hyper
from ccl.methods.ccl.network import Model
from ccl.nn.replicas import Replicas
from ccl.paper.ablations import OWN, OWN_OF_PRESET, POINTS, TABLES, models_of, rows_of
from ccl.results.published import COHORTS, published

ROOT = Path(__file__).parents[2]
PRESETS = get_method("ccl").presets


def settings_of(entry):
    return {key: value for key, value in entry.items() if key not in ("k", "method")}


@pytest.mark.parametrize("preset", PRESETS)
def test_what_ccl_does_by_itself_is_written_down_right(preset):
    chosen = asdict(hyper("ccl", {"preset": preset}))
    assert set(OWN_OF_PRESET) == set(PRESETS)
    assert {**OWN, **OWN_OF_PRESET[preset]} == {key: chosen[key] for key in OWN}
    assert set().union(*(point.change for point in POINTS)) == {*OWN, "k"}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_point_is_a_model_that_can_be_built(preset):
    shape = Shape((7, 5), intervals=4, clusters=3, features=10)
    for entry in models_of({"k": 6, "preset": preset}).values():
        Model(shape, hyper("ccl", {"width": 16, **settings_of(entry)}), Replicas((0,)))


def test_the_paper_s_own_values_are_the_default_s_in_every_table():
    rows = rows_of({"k": 6})
    default = [row.label for row in rows if row.model == "ccl"]
    assert default == [
        "+ CCA + MKD + CGM", "2 (common, synergistic)", "G + P + C + S", "k = 6", "τ = 0.1", "b = 10", "r = 4",
    ]  # fmt: skip
    assert len(models_of({"k": 6})) == 1 + len(rows) - len(default) == 20


def test_a_table_needs_its_own_points_and_the_default():
    assert list(models_of({"k": 6}, 4)) == ["ccl", "ccl@baseline", "ccl@cca", "ccl@cca-mkd"]
    assert list(models_of({"k": 6}, 5)) == ["ccl"]
    needed = [set(models_of({"k": 6}, table)) for table in TABLES]
    assert set().union(*needed) == set(models_of({"k": 6}))
    assert sum(len(models) - 1 for models in needed) == 19


def test_a_point_is_the_config_s_own_model_with_its_change():
    models = models_of({"k": 6, "width": 64, "cohort_weight": 0.5})
    assert models["ccl@b5"] == {"method": "ccl", "k": 6, "width": 64, "cohort_weight": 0.5, "bank_length": 5}
    assert models["ccl@k4"]["k"] == 4
    assert models["ccl"] == {"k": 6, "width": 64, "cohort_weight": 0.5}


@pytest.mark.parametrize(
    ("base", "shared", "apart"),
    [
        ({"k": 9}, "k9", "k6"),
        ({"k": 6, "anchor_update": 0.3}, "tau0.3", "tau0.1"),
        ({"k": 6, "knowledge_terms": "PCS"}, "PCS", "GPCS"),
        ({"k": 6, "guide": False}, "cca-mkd", "full"),
    ],
)
def test_another_value_in_the_config_makes_its_row_the_default(base, shared, apart):
    models = {row.name: row.model for row in rows_of(base)}
    assert models[shared] == "ccl"
    assert models[apart] == f"ccl@{apart}"


def test_a_default_that_no_row_shows_has_one_of_its_own():
    rows = rows_of({"k": 6, "knowledge_terms": "none"})
    assert [(row.table, row.label) for row in rows if row.name == "own"] == [(7, "as configured")]
    assert "own" not in {row.name for row in rows_of({"k": 6})}


def test_with_the_released_preset_groups_are_by_time_wherever_their_number_is_the_point():
    rows = {row.name: row for row in rows_of({"k": 6, "preset": "released"})}
    for r in (2, 4, 6):
        row = rows[f"r{r}"]
        assert (row.model, row.label) == (f"ccl@r{r}", f"r = {r} (groups by time)")
        assert row.entry["groups_by"] == "time"
        assert hyper("ccl", settings_of(row.entry)).groups == r
    assert rows["b10"].model == "ccl"
    assert "groups_by" not in rows["b5"].entry


def test_no_model_of_a_config_can_have_a_point_s_name():
    points = [name for name in models_of({"k": 6}) if name != "ccl"]
    for name in points:
        with pytest.raises(ConfigError, match="not a usable name"):
            check_config({"cohorts": {"c": {"patients": "p.csv"}}, "models": {name: {}}})
    assert len({name.lower() for name in points}) == len(points)  # folders, on any file system


def test_planning_loads_nothing_heavy():
    heavy = "{'torch', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)"
    command = f"import sys, ccl.paper.ablations, ccl.paper.table1, ccl.paper.figures; assert not {heavy}"
    subprocess.run([sys.executable, "-c", command], check=True)


def test_every_row_of_the_paper_is_there():
    table = pd.read_csv(ROOT / "ccl" / "results" / "published.csv").query("table > 1")
    names = {(point.table, point.name) for point in POINTS} | {(5, "before"), (5, "after")}
    assert set(zip(table["table"], table["row"], strict=True)) == names
    assert set(table["encoder"]) == {"resnet50"}
    counts = table.groupby("table")["mean"].count().to_dict()
    assert counts == {4: 4 * 6, 5: 2 * 5, 6: 5 * 6, 7: 5 * 6, 8: 12 * 6}


def published_point(name, cohort):
    table = next((point.table for point in POINTS if point.name == name), 8)
    found = published(table, name, "resnet50", cohort)
    return found.mean if found else None


def test_published_overall_is_the_mean_of_the_five():
    for point in POINTS:
        mean = sum(published_point(point.name, cohort) for cohort in COHORTS) / 5
        assert published_point(point.name, "overall") == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize("cohort", ["gbmlgg", "GBMLGG", "tcga_gbmlgg", "TCGA-GBMLGG"])
def test_a_published_number_is_found_under_any_spelling_of_the_cohort(cohort):
    assert published_point("k4", cohort) == 0.8433


def test_there_is_no_published_number_for_anything_else():
    assert published_point("k4", "kirc") is None
    assert published_point("own", "blca") is None
    assert published(8, "k4", "uni", "blca") is None
