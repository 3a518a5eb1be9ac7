"""Each encoder reads the patches that it is published for, or those that the config states."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ccl.io.errors import ConfigError
from ccl.plan import Plan
from ccl.wsi.encoders import ENCODERS
from tests.plan.conftest import job

Make = Callable[..., Plan]


def encoders(*names: str, **entries: Any) -> dict[str, Any]:
    """Return the section ``embed`` with some encoders, whose weights are random."""
    every = {name: {} for name in names} | entries
    return {"encoders": {name: {"weights": "random", **entry} for name, entry in every.items()}}


def folders(plan: Plan) -> dict[str, str]:
    return {name: tiling.folder for name, tiling in plan.tilings.of.items()}


def flags(plan: Plan, folder: str) -> str:
    return plan.options.tile(job(tiling=folder))


def test_results_of_the_default_patches_stay_where_they_are(plan: Make) -> None:
    """Folders and parameters are those of earlier versions, so nothing runs again."""
    made = plan()
    assert list(made.tilings.by_folder) == ["tile"]
    assert flags(made, "tile") == "--patch-size 256 --mpp 0.5 --unit microns --min-tissue 0.5"
    assert made.inputs.tiles(job(cohort="blca", encoder="uni")) == "<results>/{cohort}/tile/manifests/{shard}.tsv"
    recorded = json.loads(made.options.preprocessing(job(cohort="blca", encoder="uni", model="ccl")))
    assert recorded["tile"] == {"patch_size": 256, "mpp": 0.5, "unit": "microns", "min_tissue": 0.5}
    assert list(made.tilings.departures) == []


def test_encoders_read_their_published_patches_and_share_them(plan: Make) -> None:
    made = plan(embed=encoders("resnet50", "uni", "conch", "conch-v1.5", "virchow", "ctranspath"))
    assert folders(made) == {
        "resnet50": "tile",
        "uni": "tile",
        "conch": "tile/20x_512px",
        "conch-v1.5": "tile/20x_512px",
        "virchow": "tile/20x_224px",
        "ctranspath": "tile/10x_256px",
    }
    assert flags(made, "tile/20x_512px") == "--patch-size 512 --mpp 0.5 --unit microns --min-tissue 0.5"
    manifests = made.inputs.tile_manifests(job(cohort="blca"))
    shards = len(made.cohorts["blca"].shards)
    assert len(manifests) == 4 * shards
    assert sum("/tile/20x_512px/manifests/" in path for path in manifests) == shards
    assert list(made.tilings.departures) == []
    assert next(iter(plan(embed=encoders("conch", "uni")).tilings.by_folder)) == "tile"


def test_every_published_patch_has_a_source() -> None:
    for encoder in ENCODERS.values():
        assert bool(encoder.published) == bool(encoder.tiled_by), encoder.name
        if encoder.published:
            assert encoder.published[1] in encoder.mpp, encoder.name


def test_other_keys_of_tile_count_for_published_patches_too(plan: Make) -> None:
    made = plan(embed=encoders("conch"), tile={"min_tissue": 0.25, "max_ink": 0.1})
    assert list(made.tilings.by_folder) == ["tile/20x_512px"]
    expected = "--patch-size 512 --mpp 0.5 --unit microns --min-tissue 0.25 --max-ink 0.1"
    assert flags(made, "tile/20x_512px") == expected


@pytest.mark.parametrize("key", [{"patch_size": 256}, {"mpp": 0.5}])
def test_a_side_or_scale_that_tile_states_is_for_all_encoders_and_said(plan: Make, key: dict[str, Any]) -> None:
    made = plan(embed=encoders("uni", "conch"), tile=key)
    assert folders(made) == {"uni": "tile", "conch": "tile"}
    assert list(made.tilings.departures) == [
        "encoder conch reads patches of 256 px at 0.5 um/px (published: 512 px at 0.5 um/px), as `tile` says"
    ]


def test_an_encoder_can_stand_several_times_with_named_tilings(plan: Make) -> None:
    made = plan(
        tile={"min_tissue": 0.3},
        tilings={"low": {"mpp": 1, "overlap": 64}, "both": {"also_mpp": [1.0]}},
        embed=encoders(uni={}, near={"encoder": "uni", "tiling": "both"}, far={"encoder": "uni", "tiling": "low"}),
    )
    assert folders(made) == {"uni": "tile", "near": "tile/both", "far": "tile/low"}
    common = "--patch-size 256 --mpp {} --unit microns --min-tissue 0.3"
    assert flags(made, "tile/low") == f"{common.format('1')} --overlap 64"
    assert flags(made, "tile/both") == f"{common.format('0.5')} --also-mpp 1.0"
    assert made.options.embed(job(encoder="far")) == "--encoder uni --weights random --dtype float32"
    assert [sentence.split(", as")[0] for sentence in made.tilings.departures] == [
        "encoder near reads patches of 256 px at 0.5 and 1 um/px (published: 256 px at 0.5 um/px)",
        "encoder far reads patches of 256 px at 1 um/px (published: 256 px at 0.5 um/px)",
    ]
    recorded = json.loads(made.options.preprocessing(job(cohort="blca", encoder="far", model="ccl")))
    assert recorded["tile"] == {
        "patch_size": 256, "mpp": 1, "unit": "microns", "min_tissue": 0.3, "overlap": 64,
    }  # fmt: skip


def test_a_tiling_of_the_name_of_published_patches_takes_their_place(plan: Make) -> None:
    made = plan(embed=encoders("conch"), tilings={"20x_512px": {"patch_size": 512, "max_patches": 100}})
    assert flags(made, "tile/20x_512px").endswith("--max-patches 100")


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"embed": encoders(uni={"tiling": "x10"})}, "embed: encoders: uni: tiling: there is no x10; known are tile"),
        ({"embed": encoders(mine={"encoder": "resnet51"})}, "unknown encoder"),
        ({"tilings": {"tile": {}}}, "tilings: tile: not a usable name"),
        ({"tilings": {"manifests": {}}}, "tilings: manifests: not a usable name"),
        ({"tilings": {"a": {"step": 3}}}, "tilings: a: step: there is no such key"),
        ({"tilings": {"a": {"overlap": 256}}}, "`overlap` must be smaller than `patch_size`"),
        ({"tilings": {"a": {"mpp": 1.0, "also_mpp": [0.5, 1.0]}}}, "names the scale `mpp` again"),
        ({"tile": {"also_mpp": [0.5]}}, "names the scale `mpp` again"),
    ],
)
def test_what_cannot_be_tiled_is_refused(plan: Make, sections: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        plan(**sections)
