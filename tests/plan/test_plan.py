"""What runs, from a config."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccl.io.errors import CclError, ConfigError, InputError
from ccl.io.sheets import shard_of
from ccl.plan import Plan
from tests.plan.conftest import SLIDES, job

Make = Callable[..., Plan]
COHORT = {"patients": "patients.csv", "slides": "slides.csv", "omics": {"rna": "rna.csv"}, "gmt": "families.gmt"}


def test_a_model_runs_on_each_cohort_and_encoder_that_it_reads(plan: Make) -> None:
    assert plan().runs == [
        ("blca", "resnet50", "ccl"),
        ("blca", "uni", "ccl"),
        ("blca", "none", "snn"),
        ("blca", "resnet50", "attmil"),
        ("blca", "uni", "attmil"),
        ("genes", "none", "snn"),
    ]
    assert plan().blanks == [
        ("ccl", "genes", "the cohort has no slides"),
        ("attmil", "genes", "the cohort has no slides"),
    ]


def test_a_pair_without_data_is_an_error_unless_the_config_leaves_it_blank(plan: Make) -> None:
    with pytest.raises(ConfigError, match="missing_modality: blank"):
        plan(missing_modality="fail")


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"models": {"cll": {}}}, "cll"),
        ({"models": {"ccl": {"cohort_wait": 1}}}, "cohort_wait"),
        ({"models": {"snn": {"track": "own"}}}, "one of unified, native"),
        ({"embed": {"encoders": {"resnet51": {}}}}, "unknown encoder"),
        ({"embed": {"encoders": {"hipt": {}}}}, "not on the hub"),
        ({"embed": {"encoders": {"uni": {"weights": "uni.pth"}}}}, "embed: encoders: uni: weights: there is no "),
    ],
)
def test_what_cannot_run_is_refused(plan: Make, sections: dict[str, Any], expected: str) -> None:
    with pytest.raises(CclError, match=expected):
        plan(**sections)


def test_models_whose_figures_would_have_one_name_are_refused(plan: Make) -> None:
    with pytest.raises(CclError, match="two figures would have the same file name"):
        plan(
            cohorts={"blca": {**COHORT, "features": {"a": ".", "a.b": "."}}},
            models={"b.c": {"method": "ccl"}, "c": {"method": "ccl"}},
        )


def test_all_files_that_do_not_exist_are_named_at_once(plan: Make, config: dict[str, Any]) -> None:
    cohort = {**config["cohorts"]["blca"], "patients": "patient.csv", "slides": "slide.csv", "folds": "splits"}
    with pytest.raises(ConfigError) as caught:
        plan(cohorts={"blca": cohort})
    said = str(caught.value)
    assert said.startswith("mine.yaml has 3 mistakes")
    for words in ("cohorts: blca: patients: there is no ", "patient.csv", "slide.csv", "splits"):
        assert words in said


def test_families_may_be_in_several_files(plan: Make, config: dict[str, Any], tmp_path: Path) -> None:
    entry = {**config["cohorts"]["genes"], "gmt": ["families.gmt", "more.gmt"]}
    with pytest.raises(ConfigError, match=r"cohorts: a: gmt: there is no .*more\.gmt"):
        plan(cohorts={"a": entry})
    (tmp_path / "more.gmt").touch()
    files = plan(cohorts={"a": entry}).inputs.genomics(job(cohort="a"))
    assert files["gmt"] == [str(tmp_path / name) for name in ("families.gmt", "more.gmt")]
    assert files["aliases"] == []


def test_a_table_of_other_symbols_is_an_input_of_its_stage(plan: Make, tmp_path: Path) -> None:
    keys = {"aliases": "symbols.csv", "min_coverage": 0.9, "low_coverage": "exclude"}
    with pytest.raises(ConfigError, match=r"genomics: aliases: there is no .*symbols\.csv"):
        plan(genomics=keys)
    (tmp_path / "symbols.csv").touch()
    planned = plan(genomics=keys)
    assert planned.inputs.genomics(job(cohort="blca"))["aliases"] == [str(tmp_path / "symbols.csv")]
    flags = "--patient-column patient_id --missing error --min-coverage 0.9 --low-coverage exclude"
    assert planned.options.genomics(job(cohort="blca")) == flags


def test_a_folder_without_folds_is_refused(plan: Make, config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    with pytest.raises(CclError, match=r"no splits_\*\.csv"):
        plan(cohorts={"blca": {**config["cohorts"]["blca"], "folds": "splits"}})


def test_each_slide_is_in_its_shard(plan: Make) -> None:
    shards = plan().cohorts["blca"].shards
    assert sorted(shards) == list(shards)
    assert sum(map(len, shards.values())) == SLIDES
    assert all(shard_of(slide.slide_id, 3) == shard for shard, slides in shards.items() for slide in slides)


def test_slides_that_do_not_exist_are_left_to_their_stage(plan: Make, tmp_path: Path) -> None:
    (tmp_path / "S3.svs").touch()
    found = [file for shard in plan().cohorts["blca"].shards for file in plan().cohorts["blca"].shard_files(shard)]
    assert found == [str(tmp_path / "S3.svs")]


def test_what_the_sheet_says_of_others_does_not_concern_a_shard(plan: Make, tmp_path: Path) -> None:
    before = {shard: plan().cohorts["blca"].shard_rows(shard) for shard in range(3)}
    sheet = tmp_path / "slides.csv"
    sheet.write_text(sheet.read_text().replace("S3.svs,0.5", "S3.svs,0.25"))
    after = {shard: plan().cohorts["blca"].shard_rows(shard) for shard in range(3)}
    assert [shard for shard in range(3) if before[shard] != after[shard]] == [shard_of("S3", 3)]


@pytest.mark.parametrize(
    ("model", "tables", "sheet"),
    [
        ("snn", {"patients", "folds", "genomics"}, False),
        ("ccl", {"patients", "folds", "genomics", "clusters"}, False),
        ("attmil", {"patients", "folds"}, True),
    ],
)
def test_a_model_is_trained_on_what_its_method_reads(plan: Make, model: str, tables: set[str], sheet: bool) -> None:
    inputs, wildcards = plan().inputs, job(cohort="blca", encoder="uni", model=model)
    assert set(inputs.train(wildcards)) == tables
    assert bool(inputs.bag_sheet(wildcards)) == bool(inputs.bag_manifests(wildcards)) == sheet


def test_a_model_has_clusters_of_its_own(plan: Make) -> None:
    made = plan(models={"ccl": {}, "ccl9": {"method": "ccl", "k": 9}}, cluster={"k": 4})
    clusters = [made.inputs.train(job(cohort="blca", model=name))["clusters"] for name in made.config.models]
    assert clusters == ["<results>/{cohort}/cluster/{encoder}/k4.h5", "<results>/{cohort}/cluster/{encoder}/k9.h5"]


def test_a_file_of_weights_starts_from_the_data_folder_and_is_an_input(plan: Make, tmp_path: Path) -> None:
    (tmp_path / "uni.pth").touch()
    made = plan(embed={"encoders": {"uni": {"weights": "uni.pth"}, "resnet50": {"weights": "random"}}})
    wildcards = job(cohort="blca", encoder="uni")
    assert made.inputs.weights(wildcards) == [str(tmp_path / "uni.pth")]
    assert f"--weights {tmp_path / 'uni.pth'}" in made.options.embed(wildcards)
    assert made.inputs.weights(job(cohort="blca", encoder="resnet50")) == []


def test_planning_loads_no_torch_and_no_snakemake(config: dict[str, Any]) -> None:
    code = (
        "import sys, json; from ccl.plan import make_plan; make_plan(json.loads(sys.argv[1]));"
        "print({'torch', 'snakemake', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, json.dumps(config)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "set()"


CLINICAL = {"covariates": {"age": {"kind": "numeric"}}}


def test_covariates_are_read_from_their_table_or_that_of_patients(plan: Make, tmp_path: Path) -> None:
    (tmp_path / "clinical.csv").touch()
    cohorts = {
        "own": {"patients": "patients.csv", "clinical": {**CLINICAL, "table": "clinical.csv"}},
        "same": {"patients": "patients.csv", "clinical": CLINICAL},
    }
    inputs = plan(cohorts=cohorts, models={"cox-clinical": {}}).inputs
    followed = {name: f"<results>/{{cohort}}/cohort/{name}.csv" for name in ("patients", "folds")}
    assert inputs.clinical(job(cohort="own")) == {"table": [str(tmp_path / "clinical.csv")], **followed}
    assert inputs.clinical(job(cohort="same")) == {"table": [str(tmp_path / "patients.csv")], **followed}
    trained = inputs.train(job(cohort="own", model="cox-clinical"))
    assert trained["clinical"] == "<results>/{cohort}/clinical/clinical.csv"


def test_a_clinical_table_that_does_not_exist_is_refused(plan: Make) -> None:
    cohort = {"patients": "patients.csv", "clinical": {**CLINICAL, "table": "clinical.csv"}}
    with pytest.raises(ConfigError, match="cohorts: a: clinical: table: there is no "):
        plan(cohorts={"a": cohort}, models={})


@pytest.mark.parametrize("model", [{"method": "cox-clinical"}, {"method": "snn", "clinical": True}])
def test_a_model_of_covariates_needs_a_cohort_that_has_them(
    plan: Make, config: dict[str, Any], model: dict[str, Any]
) -> None:
    cohorts = {"with": {**config["cohorts"]["genes"], "clinical": CLINICAL}, "without": config["cohorts"]["genes"]}
    made = plan(cohorts=cohorts, models={"m": model})
    assert made.runs == [("with", "none", "m")]
    assert made.blanks == [("m", "without", "the cohort has no clinical")]
    with pytest.raises(ConfigError, match="missing_modality: blank"):
        plan(cohorts=cohorts, models={"m": model}, missing_modality="fail")


def test_a_model_without_covariates_does_not_read_them(plan: Make, config: dict[str, Any]) -> None:
    cohorts = {"a": {**config["cohorts"]["genes"], "clinical": CLINICAL}}
    made = plan(cohorts=cohorts, models={"plain": {"method": "snn"}, "both": {"method": "snn", "clinical": True}})
    reads = {name: "clinical" in made.inputs.train(job(cohort="a", model=name)) for name in made.config.models}
    assert reads == {"plain": False, "both": True}
    assert made.options.overrides(job(model="both")) == "{}"


@pytest.mark.parametrize("name", ["benchmarks", "logs", "report", "Figures", "ablations", "table1"])
def test_a_cohort_cannot_have_the_name_of_another_folder_of_the_results(plan, config, name) -> None:
    with pytest.raises(ConfigError, match=f"cohorts: {name}: not a usable name"):
        plan(cohorts={name: config["cohorts"]["genes"]})


def test_a_method_without_a_native_track_is_refused_while_planning(plan) -> None:
    plan(models={"snn": {"track": "native"}})
    with pytest.raises(ConfigError, match="models: mine: track: found native; cox-genomics has no native track"):
        plan(models={"mine": {"method": "cox-genomics", "track": "native"}})


def test_a_slide_sheet_without_rows_is_refused_while_planning(plan, tmp_path) -> None:
    (tmp_path / "slides.csv").write_text("slide_id,patient_id,path,mpp\n")
    with pytest.raises(InputError, match="the slide sheet lists no slide"):
        plan()


def test_slides_that_do_not_exist_are_told_before_the_run(plan: Make, capsys: pytest.CaptureFixture[str]) -> None:
    plan().targets.announce()
    assert f"note: cohort blca: {SLIDES} of {SLIDES} slides do not exist, such as " in capsys.readouterr().err


@pytest.mark.parametrize(("old", "new"), [("S0.svs", "{scans}/S0.svs"), ("S0.svs", "S}.svs")])
def test_braces_in_the_path_of_a_slide_are_refused_by_name(plan: Make, tmp_path: Path, old: str, new: str) -> None:
    """Snakemake would look for a wildcard of this name."""
    sheet = tmp_path / "slides.csv"
    sheet.write_text(sheet.read_text().replace(old, new))
    with pytest.raises(ConfigError, match="has braces") as caught:
        plan()
    assert "cohorts: blca: slides: S0" in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("model", "key"), [("attmil", "width"), ("attmil", "dropout"), ("ccl", "preset")])
def test_a_hyper_parameter_that_is_no_number_is_refused(plan: Make, model: str, key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"models: {model}: {key}: found"):
        plan(models={model: {key: value}})


def test_only_slides_that_are_missing_when_the_run_is_planned_may_be_missing(plan: Make, tmp_path: Path) -> None:
    for number in range(SLIDES):
        (tmp_path / f"S{number}.svs").touch()
    wildcards = job(cohort="blca", shard=str(shard_of("S3", 3)))
    assert "--missing" not in plan().options.tissue(wildcards)
    (tmp_path / "S3.svs").unlink()
    assert plan().options.tissue(wildcards).endswith(" --missing S3")
