"""The rerun matrix: for each key and each kind of input, what runs again, and nothing else.

The workspace has a cohort of slides (``tiny``) and one of ready features (``bags``), two methods and two folds.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from ccl.io.formats import Features, Tiles, read_manifest
from ccl.results.verify import verify_results
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")

SLIDE_STAGES = ("tissue", "tile", "embed")
END = {"evaluate", "report"}
AFTER_CCL = {"train": 4, "evaluate": 2, "components": 2, "explain_model": 2, "report": 1}
"""Two folds of two cohorts, trained again, and all that is made of them."""
AFTER_TILES = {
    "quality": 1,
    "embed": 2,
    "gather": 1,
    "cluster": 1,
    "train": 2,
    "evaluate": 1,
    "components": 1,
    "explain_model": 1,
    "report": 1,
}


def test_a_second_call_has_nothing_to_do(finished: Workspace) -> None:
    assert finished.planned() == {}


@pytest.mark.parametrize(
    ("key", "value", "again"),
    [
        ("report.title", "Other", {"report": 1}),
        ("report.title", "Risk {high} or {low}", {"report": 1}),  # braces are no wildcards
        ("evaluate.months", [24], {"evaluate": 4, "report": 1}),
        ("explain.count", 1, {"explain_model": 2, "report": 1}),
        ("explain.count", 0, {"report": 1}),
        ("explain.patients", ["DEMO-020"], {"explain_model": 1, "report": 1}),  # a patient of one cohort alone
        ("train.lr", 0.01, {"train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1}),
        ("train.epochs", 3, {"train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1}),
        ("train.weight_decay", 0.1, {"train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1}),
        ("train.seeds", [1], {"train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1}),
        (
            "train.intervals_from",
            "cohort",
            {"train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1},
        ),
        ("train.inner", 0.2, {"train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1}),
        ("train.sampling", "weighted", {"train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1}),
        (
            "models.ccl",
            {"cohort_weight": 0.5},
            AFTER_CCL,
        ),
        (
            "models.ccl",
            {"preset": "released", "groups_by": "time"},
            AFTER_CCL,
        ),
        (
            "models.ccl",
            {"k": 4},
            {"cluster": 2, **AFTER_CCL},
        ),
        ("models.snn", {"track": "native"}, {"train": 4, "evaluate": 2, "report": 1}),
        ("models.small", {"method": "snn", "width": 16}, {"train": 4, "evaluate": 2, "report": 1}),
        ("cluster.k", 4, {"cluster": 2, **AFTER_CCL}),
        (
            "cluster.restarts",
            2,
            {"cluster": 2, **AFTER_CCL},
        ),
        (
            "cluster.empty",
            "zero",
            {"cluster": 2, **AFTER_CCL},
        ),
        (
            "cluster.normalise",
            "l2",
            {"cluster": 2, **AFTER_CCL},
        ),
        (
            "genomics.missing",
            "mean",
            {"genomics": 2, "train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1},
        ),
        (
            "embed.dtype",
            "float16",
            AFTER_TILES,
        ),
        ("embed.stain", "macenko", AFTER_TILES),
        ("tile.mpp", 0.6, {"tile": 2, **AFTER_TILES}),
        ("tile.min_tissue", 0.6, {"tile": 2, **AFTER_TILES}),
        ("tissue.threshold", 0.1, {"tissue": 2, "tile": 2, **AFTER_TILES}),
        ("tissue.annotation", "replace", {"tissue": 2, "tile": 2, **AFTER_TILES}),
        (
            "on_bad_slide",
            "exclude",
            {"gather": 1, "import_features": 1, "cluster": 2, **AFTER_CCL},
        ),
        (
            "cohort.fold_seed",
            1,
            {"cohort": 2, "train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1},
        ),
        (
            "cohort.stratify",
            "time",
            {"cohort": 2, "train": 8, "evaluate": 4, "components": 2, "explain_model": 2, "report": 1},
        ),
        # What changes speed alone changes no result; the report, which shows the config, is written again.
        ("embed.batch_size", 8, {"report": 1}),
        ("train.device", "auto", {"report": 1}),
        ("train.bags", "memory", {"report": 1}),
    ],
)
def test_a_config_key_runs_again_what_reads_it(
    workspace: Workspace, key: str, value: Any, again: dict[str, int]
) -> None:
    workspace.set(key, value)
    assert workspace.planned() == again


def test_another_encoder_runs_beside_the_first(workspace: Workspace) -> None:
    workspace.set("embed.encoders.resnet50.weights", "hub")
    assert workspace.planned() == AFTER_TILES


def test_an_omics_value(workspace: Workspace) -> None:
    table = pd.read_csv(workspace.folder / "tiny" / "rna.csv")
    table.iloc[0, 1] += 1
    table.to_csv(workspace.folder / "tiny" / "rna.csv", index=False)
    assert workspace.planned() == {
        "genomics": 1,
        "train": 4,
        "evaluate": 2,
        "components": 1,
        "explain_model": 1,
        "report": 1,
    }


def test_a_follow_up_value(workspace: Workspace) -> None:
    table = pd.read_csv(workspace.folder / "tiny" / "patients.csv")
    table.loc[0, "months"] += 1
    table.to_csv(workspace.folder / "tiny" / "patients.csv", index=False)
    assert workspace.planned() == {
        "cohort": 1,
        "train": 4,
        "evaluate": 2,
        "components": 1,
        "explain_model": 1,
        "report": 1,
    }


def test_a_fold_file(workspace: Workspace, edit: Callable[[str, str, str], None]) -> None:
    edit("bags/folds/splits_0.csv", ",train,val", "number,train,val")
    assert workspace.planned() == {
        "cohort": 1,
        "train": 4,
        "evaluate": 2,
        "components": 1,
        "explain_model": 1,
        "report": 1,
    }


def test_a_gene_family(workspace: Workspace, edit: Callable[[str, str, str], None]) -> None:
    edit("tiny/families.gmt", "\tSYN", "\tSYNTHETIC\tSYN")
    assert workspace.planned() == {
        "genomics": 1,
        "train": 4,
        "evaluate": 2,
        "components": 1,
        "explain_model": 1,
        "report": 1,
    }


def test_an_imported_feature_file(workspace: Workspace) -> None:
    file = min((workspace.folder / "bags" / "features").iterdir())
    file.write_bytes(file.read_bytes() + b"\0")
    assert workspace.planned() == {
        "import_features": 1,
        "cluster": 1,
        "train": 2,
        "evaluate": 1,
        "components": 1,
        "explain_model": 1,
        "report": 1,
    }


def test_a_changed_slide_costs_its_shard_to_plan_and_itself_to_run(workspace: Workspace) -> None:
    sheet = pd.read_csv(workspace.folder / "tiny" / "slides.csv")
    first, last = (workspace.folder / "tiny" / sheet["path"].iloc[i] for i in (0, -1))
    shutil.copyfile(last, first)
    assert workspace.planned() == AFTER_TILES | {stage: 1 for stage in SLIDE_STAGES}
    tiles = workspace.folder / "results" / "tiny" / "tile"
    before = {path.name: path.stat().st_mtime_ns for path in tiles.glob("*.h5")}
    result = workspace.snakemake("--until", "tile")
    assert result.returncode == 0, result.stdout
    after = {path.name: path.stat().st_mtime_ns for path in tiles.glob("*.h5")}
    assert {name for name in after if after[name] != before[name]} == {f"{sheet['slide_id'].iloc[0]}.h5"}


def test_an_added_slide_moves_no_other(workspace: Workspace) -> None:
    path = workspace.folder / "tiny" / "slides.csv"
    sheet = pd.read_csv(path)
    extra = sheet.iloc[[0]].assign(slide_id="EXTRA")
    pd.concat([sheet, extra]).to_csv(path, index=False)
    slides = {"quality": 1, "gather": 1} | {stage: 1 for stage in SLIDE_STAGES}
    assert workspace.planned() == {
        "cohort": 1,
        **slides,
        "cluster": 1,
        "train": 4,
        "evaluate": 2,
        "components": 1,
        "explain_model": 1,
        "report": 1,
    }


def test_an_annotation_costs_its_shard_to_plan_and_its_slide_to_run(workspace: Workspace) -> None:
    path = workspace.folder / "tiny" / "slides.csv"
    sheet = pd.read_csv(path)
    again = {stage: 1 for stage in SLIDE_STAGES} | {
        "quality": 1,
        "gather": 1,
        "cluster": 1,
        "train": 4,
        "evaluate": 2,
        "components": 1,
        "explain_model": 1,
        "report": 1,
    }
    outline = workspace.folder / "tiny" / "drawn.json"
    drawn = {"type": "Polygon", "coordinates": [[[200, 200], [1300, 200], [1300, 1300], [200, 1300], [200, 200]]]}
    outline.write_text(json.dumps(drawn))
    sheet.assign(annotation=["drawn.json", *[None] * (len(sheet) - 1)]).to_csv(path, index=False)
    assert workspace.planned() == {"cohort": 1, **again}
    tissue = workspace.folder / "results" / "tiny" / "tissue"
    before = {path.name: path.stat().st_mtime_ns for path in tissue.glob("*.geojson")}
    result = workspace.snakemake("--until", "tissue")
    assert result.returncode == 0, result.stdout
    after = {path.name: path.stat().st_mtime_ns for path in tissue.glob("*.geojson")}
    assert {name for name in after if after[name] != before[name]} == {f"{sheet['slide_id'].iloc[0]}.geojson"}
    workspace.snakemake("--until", "quality", "cohort")
    drawn["coordinates"][0][1][0] = 1200
    outline.write_text(json.dumps(drawn))
    planned = workspace.planned()
    assert (planned["tissue"], planned["cohort"]) == (1, 0)


def test_more_shards_make_no_slide_again(workspace: Workspace) -> None:
    tissue = workspace.folder / "results" / "tiny" / "tissue"
    before = {path.name: path.stat().st_mtime_ns for path in tissue.glob("*.geojson")}
    workspace.set("shards", 3)
    result = workspace.snakemake("--until", "tissue")
    assert result.returncode == 0, result.stdout
    assert {path.name: path.stat().st_mtime_ns for path in tissue.glob("*.geojson")} == before


def test_a_deleted_slide_file_is_named_and_mended(workspace: Workspace) -> None:
    victim = min((workspace.folder / "results" / "tiny" / "embed" / "resnet50").glob("*.h5"))
    victim.unlink()
    workspace.set("cluster.k", 4)
    result = workspace.snakemake("--until", "cluster")
    assert result.returncode != 0
    assert victim.name in result.stdout
    assert "--forcerun embed" in result.stdout
    result = workspace.snakemake("--until", "cluster", "--forcerun", "embed")
    assert result.returncode == 0, result.stdout
    assert victim.exists()


def test_all_files_of_a_finished_run_agree_with_their_checksums(finished: Workspace) -> None:
    problems, checked, unchecked = verify_results(finished.folder / "results")
    assert (problems, unchecked) == ([], 0)
    assert checked > 100


def test_fewer_shards_and_another_setting_leave_nothing_to_mend(workspace: Workspace) -> None:
    workspace.set("shards", 1)
    workspace.set("tile.min_tissue", 0.6)
    result = workspace.snakemake("--until", "tile")
    assert result.returncode == 0, result.stdout
    tiles = workspace.folder / "results" / "tiny" / "tile"
    assert [path.name for path in (tiles / "manifests").glob("*.tsv")] == ["0.tsv"]
    assert verify_results(workspace.folder / "results").problems == []


def test_a_slide_that_was_replaced_after_its_tissue_was_outlined_is_not_embedded(workspace: Workspace) -> None:
    sheet = pd.read_csv(workspace.folder / "tiny" / "slides.csv")
    first, last = (workspace.folder / "tiny" / sheet["path"].iloc[i] for i in (0, -1))
    times = first.stat()
    shutil.copyfile(last, first)
    os.utime(first, ns=(times.st_atime_ns, times.st_mtime_ns))
    workspace.set("embed.dtype", "float16")
    result = workspace.snakemake("--until", "embed")
    assert result.returncode != 0
    assert "files of an older date" in result.stdout
    assert first.name in result.stdout


def test_another_tiling_is_made_beside_the_first(workspace: Workspace) -> None:
    """Nothing of the first encoder runs again; the second stands beside it in the report and the contact sheet."""
    workspace.set("tilings.coarse", {"patch_size": 64, "mpp": 4.0, "also_mpp": [2.0], "overlap": 16, "max_patches": 9})
    workspace.set("embed.encoders.low", {"encoder": "resnet50", "tiling": "coarse", "weights": "random"})
    new = {"tile": 2, "embed": 2, "gather": 1, "cluster": 1, "train": 2, "evaluate": 1, "components": 1}
    assert workspace.planned() == {**new, "explain_model": 1, "quality": 1, "report": 1}
    results = workspace.folder / "results" / "tiny"
    before = (results / "embed" / "resnet50" / "manifest.tsv").read_bytes()
    done = workspace.snakemake("--until", "quality", "gather")
    assert done.returncode == 0, done.stdout[-4000:]
    assert (results / "embed" / "resnet50" / "manifest.tsv").read_bytes() == before
    for row in read_manifest(results / "embed" / "low" / "manifest.tsv"):
        features, tiles = Features.read(row.path), Tiles.read(results / "tile" / "coarse" / f"{row.slide_id}.h5")
        assert len(features.features) == len(tiles.coords) == row.count <= 9
        assert features.sizes is not None
        assert features.sizes.tolist() == tiles.sides.tolist()
    table = pd.read_csv(results / "quality" / "slides.csv")
    assert table["tiles coarse"].max() <= 9
    assert verify_results(workspace.folder / "results").problems == []
