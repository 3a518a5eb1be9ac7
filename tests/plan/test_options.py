"""Parameters of jobs: a change runs the job again, so they must not change between versions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ccl.config.check import strictly
from ccl.config.cohort_sections import Clinical
from ccl.io.errors import ConfigError
from ccl.plan import Plan
from ccl.plan.options import input_options
from tests.plan.conftest import job

Make = Callable[..., Plan]
WILDCARDS = job(cohort="blca", encoder="uni", model="attmil", fold="0", k="6", shard="1")


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (
            "cohort",
            "--patient-column patient_id --months-column months --censorship-column censorship --n-folds 5"
            " --fold-seed 0 --no-synthetic",
        ),
        ("embed", "--encoder uni --weights hub --dtype float32"),
        ("genomics", "--patient-column patient_id --missing error"),
        ("cluster", "--k 6 --restarts 3 --empty reseed --normalise none"),
        (
            "train",
            "--epochs 30 --lr 0.001 --weight-decay 1e-05 --intervals 4 --intervals-from train --sampling uniform"
            " --seeds 0",
        ),
        ("overrides", '{"width": 64}'),
        ("explain", "--count 2"),
        ("label", "--real"),
        ("train_version", 3),
    ],
)
def test_options_of_a_job(plan: Make, stage: str, expected: Any) -> None:
    assert getattr(plan().options, stage)(WILDCARDS) == expected


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("tissue", "--mpp 8.0 --threshold 0.06 --min-area-mm2 0.05 --min-hole-mm2 0.005 --annotation restrict"),
        ("evaluate", "--months 12 --months 36.5"),
        ("predict", ""),
    ],
)
def test_options_of_a_section_are_written_as_in_the_config(plan: Make, section: str, expected: str) -> None:
    assert plan(evaluate={"months": [12, 36.5]}).options.section(section)(None) == expected


def test_options_of_the_tile_stage_are_written_as_in_the_config(plan: Make) -> None:
    found = plan(tile={"mpp": 1}).options.tile(job(tiling="tile"))
    assert found == "--patch-size 256 --mpp 1 --unit microns --min-tissue 0.5"


def test_inner_is_an_option_only_where_it_holds_patients_out(plan: Make) -> None:
    assert plan(train={"inner": 0.2}).options.train(WILDCARDS).endswith("--seeds 0 --inner 0.2")
    assert "--inner" not in plan(train={"inner": 0}).options.train(WILDCARDS)


class Files(SimpleNamespace):
    """Named inputs, as Snakemake gives them."""

    def keys(self) -> list[str]:
        return list(vars(self))

    def __getitem__(self, name: str) -> Any:
        return vars(self)[name]


def test_inputs_are_options_of_the_same_names() -> None:
    files = Files(patients="a b.csv", manifests=["0.tsv", "1.tsv"], slides=[])
    assert input_options(files) == "--patients 'a b.csv' --manifests 0.tsv --manifests 1.tsv"
    assert input_options(files, without=("manifests",)) == "--patients 'a b.csv'"


@pytest.mark.parametrize(("device", "expected"), [("auto", 1), ("cuda", 1), ("cpu", 0)])
def test_a_job_takes_a_gpu_unless_its_device_is_cpu(plan: Make, device: str, expected: int) -> None:
    assert plan(train={"device": device}).options.gpus("train") == expected


def test_the_way_a_cohort_is_labelled(plan: Make, config: dict[str, Any]) -> None:
    cohort = {**config["cohorts"]["blca"], "synthetic": True}
    assert plan(cohorts={"blca": cohort}).options.label(WILDCARDS) == "--synthetic"


def test_features_made_elsewhere_were_not_tiled_here(plan: Make, config: dict[str, Any]) -> None:
    of_ccl = job(cohort="blca", encoder="uni", model="ccl")
    assert '"tile"' in plan().options.preprocessing(of_ccl)
    made = plan(cohorts={"blca": {**config["cohorts"]["blca"], "features": {"uni": "."}}})
    assert '"tile"' not in made.options.preprocessing(of_ccl)
    assert '"cluster"' in made.options.preprocessing(of_ccl)


def test_options_of_the_clinical_stage(plan: Make, config: dict[str, Any]) -> None:
    """The section as it stands in the config, with the defaults; unnamed columns are those of the cohort."""
    covariates = {"stage": {"kind": "ordinal", "levels": [1, [2, "2 b"]]}}
    clinical = {"table": "patients.csv", "missing": ["?"], "covariates": covariates}
    cohort = {"patients": "patients.csv", "patient_column": "case id", "months_column": "OS.time"}
    words = shlex.split(
        plan(cohorts={"a": {**cohort, "clinical": clinical}}, models={}).options.clinical(job(cohort="a"))
    )
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert pairs[:3] == [
        ("--patient-column", "case id"),
        ("--outcome-column", "OS.time"),
        ("--outcome-column", "censorship"),
    ]
    name, value = pairs[3]
    assert name == "--covariates"
    read = strictly(Clinical, json.loads(value))
    assert read.missing == ("?",)
    assert read.covariates["stage"].levels == (("1",), ("2", "2 b"))
    named = plan(cohorts={"a": {**cohort, "clinical": {**clinical, "patient_column": "barcode"}}}, models={})
    assert named.options.clinical(job(cohort="a")).startswith("--patient-column barcode ")


def test_options_of_the_cohort_that_are_not_used_are_not_named(plan: Make, config: dict[str, Any]) -> None:
    """Finished cohorts stay valid, as the parameters of their jobs are those of earlier versions."""
    assert plan().options.cohort(WILDCARDS) == (
        "--patient-column patient_id --months-column months --censorship-column censorship --n-folds 5 --fold-seed 0"
        " --no-synthetic"
    )
    entry = {**config["cohorts"]["blca"], "endpoint": "DSS", "time_unit": "days", "site": "tcga-barcode"}
    made = plan(cohorts={"blca": entry}, cohort={"by": "site", "n_folds": 4, "repeats": 3}).options.cohort(WILDCARDS)
    for flags in ("--endpoint DSS", "--time-unit days", "--site tcga-barcode", "--by site", "--repeats 3"):
        assert flags in made
    clinical = {"covariates": {"age": {"kind": "numeric"}}}
    options = plan(cohorts={"blca": {**entry, "clinical": clinical}}).options
    assert "--outcome-column DSS --outcome-column DSS.time" in options.clinical(WILDCARDS)


def test_tables_of_endpoints_and_held_out_patients_are_inputs(plan: Make, config: dict[str, Any]) -> None:
    entry = {**config["cohorts"]["genes"], "endpoint": "OS", "endpoint_table": "rna.csv", "held_out": "families.gmt"}
    made = plan(cohorts={"genes": entry}, models={"snn": {}})
    inputs = made.inputs.cohort(job(cohort="genes"))
    assert [Path(inputs[name][0]).name for name in ("endpoint_table", "held_out")] == ["rna.csv", "families.gmt"]
    said = made.options.inputs(job(), inputs)
    assert "--endpoint-table " in said
    assert "--held-out " in said
    with pytest.raises(ConfigError, match=r"cohorts: genes: held_out: there is no .*nobody\.csv"):
        plan(cohorts={"genes": {**entry, "held_out": "nobody.csv"}}, models={"snn": {}})


def test_every_fold_of_every_repeat_is_trained(plan: Make) -> None:
    made = plan(cohort={"n_folds": 4, "repeats": 3})
    runs = made.inputs.evaluate(job(cohort="blca", encoder="uni", model="attmil"))
    assert [path.split("fold")[-1] for path in runs] == [f"{fold}/run.json" for fold in range(12)]


def test_how_patches_are_made_is_an_option_only_where_it_is_not_the_default(plan: Make, config: dict[str, Any]) -> None:
    encoders, of_ccl = config["embed"]["encoders"], job(cohort="blca", model="ccl", encoder="uni")
    usual = {"decode": "exact", "profile": "ignore", "stain": "none", "stain_target": "published"}
    assert plan(embed={"encoders": encoders, **usual}).options.embed(WILDCARDS) == plan().options.embed(WILDCARDS)
    assert '"embed"' not in plan().options.preprocessing(of_ccl)
    Path(config["data"], "target.png").touch()
    made = plan(embed={"encoders": encoders, "decode": "half", "stain": "macenko", "stain_target": "target.png"})
    target = str(Path(config["data"], "target.png"))
    assert made.options.embed(WILDCARDS) == (
        f"--encoder uni --weights hub --dtype float32 --decode half --stain macenko --stain-target {target}"
    )
    assert made.inputs.stain_target(WILDCARDS) == [target]
    assert json.loads(made.options.preprocessing(of_ccl))["embed"] == {
        "decode": "half", "stain": "macenko", "stain_target": "target.png"
    }  # fmt: skip


def test_files_of_slides_stages_are_found_in_the_data_folder_or_named(plan: Make, config: dict[str, Any]) -> None:
    Path(config["data"], "net.pth").touch()
    made = plan(tile={"artefacts": "grandqc", "artefact_weights": "net.pth"})
    assert f"--artefacts grandqc --artefact-weights {config['data']}/net.pth" in made.options.tile(job(tiling="tile"))
    assert made.inputs.artefact_weights(job(tiling="tile")) == [f"{config['data']}/net.pth"]
    with pytest.raises(ConfigError, match=r"tile: artefact_weights: there is no .*gone\.pth"):
        plan(tile={"artefacts": "grandqc", "artefact_weights": "gone.pth"})
    encoders = config["embed"]["encoders"]
    with pytest.raises(ConfigError, match=r"embed: stain_target: there is no .*gone\.png"):
        plan(embed={"encoders": encoders, "stain": "macenko", "stain_target": "gone.png"})
