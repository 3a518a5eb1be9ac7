"""A bundle is compared with the config before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccl.io.errors import CclError
from ccl.plan import Plan
from ccl.predict.card import Card
from tests.plan.conftest import job
from tests.source.layouts import Truth, cbioportal

Make = Callable[..., Plan]
TILE = {"patch_size": 256, "mpp": 0.5, "min_tissue": 0.5}
CLUSTER = {"k": 6, "restarts": 3, "empty": "reseed", "normalise": "none"}


@pytest.fixture
def bundled(plan: Make, config: dict[str, Any], tmp_path: Path) -> Make:
    """Return a function that plans a prediction by a bundle that recorded some preprocessing."""

    def make(
        preprocessing: dict[str, Any],
        *,
        without: str = "",
        weights: str = "random",
        covariates: Sequence[dict[str, Any]] = (),
        incomplete: bool = False,
        **sections: Any,
    ) -> Plan:
        shape = {"clusters": 6, **({"tables": [[0]]} if incomplete else {})}
        card = Card(
            model="ccl", method="ccl", hyper={}, shape=shape, seeds=[0], folds=[{"fold": 0}], families={},
            encoder="resnet50", features_encoder="resnet50", weights=weights, scales={}, distance_limit=None, cut=0.0,
            cohort="blca", synthetic=False, n_patients=9, n_events=5, preprocessing=preprocessing, encoder_licence="",
            licence="", intended_use="", versions={}, sha256="", covariates=covariates,
        )  # fmt: skip
        card.write(tmp_path / "bundle")
        entry = {**config["cohorts"]["blca"], "predict_with": {"ours": "bundle"}}
        cohort = {key: value for key, value in entry.items() if key not in ("patients", without)}
        if without == "omics":
            cohort.pop("gmt")
        if without == "slides":
            sections["models"] = {}
        return plan(cohorts={"fresh": cohort}, **sections)

    return make


def test_a_bundle_that_fits_is_read(bundled: Make) -> None:
    made = bundled({"tile": {**TILE, "unit": "microns"}, "cluster": CLUSTER})
    assert made.targets.predict(job()) == ["<results>/fresh/predict/ours/risk.csv"]
    files = made.inputs.predict(job(cohort="fresh", bundle="ours"))
    assert files["clusters"] == "<results>/{cohort}/cluster/resnet50/k6.h5"
    assert made.inputs.bundle_manifests(job(cohort="fresh", bundle="ours"))[0].startswith(
        "<results>/{cohort}/embed/resnet50"
    )


def test_a_bundle_of_covariates_reads_them(bundled: Make, config: dict[str, Any]) -> None:
    config["cohorts"]["blca"]["clinical"] = {"table": "patients.csv", "covariates": {"age": {"kind": "numeric"}}}
    covariates = [{"name": "age", "kind": "numeric", "levels": [], "indicator": False, "unit": ""}]
    inputs = bundled({}, covariates=covariates).inputs
    assert inputs.predict(job(cohort="fresh", bundle="ours"))["clinical"] == "<results>/{cohort}/clinical/clinical.csv"
    assert list(inputs.clinical(job(cohort="fresh"))) == ["table"]
    assert "clinical" not in bundled({}).inputs.predict(job(cohort="fresh", bundle="ours"))


def test_omics_of_downloads_are_transformed_alike(bundled: Make, config: dict[str, Any], tmp_path: Path) -> None:
    cbioportal(tmp_path / "study", Truth(n=4))
    own = {key: value for key, value in config["cohorts"]["blca"].items() if key not in ("patients", "omics")}
    config["cohorts"]["blca"] = {**own, "from": {"cbioportal": "study", "rna": {"transform": "log2(x + 1)"}}}
    recorded = {"from": {"rna": {"transform": "log2(x + 1)"}, "cnv": {"transform": "none"}}}
    made = bundled(recorded)
    assert made.cohorts["fresh"].transforms == {"rna": {"transform": "log2(x + 1)"}}
    with pytest.raises(CclError, match=r"set `rna: transform: none`"):
        bundled({"from": {"rna": {"transform": "none"}}})


def test_a_key_younger_than_the_bundle_had_its_default_then(bundled: Make) -> None:
    bundled({"tile": TILE, "cluster": CLUSTER})  # `unit` is not recorded
    with pytest.raises(CclError, match="unit: microns"):
        bundled({"tile": TILE, "cluster": CLUSTER}, tile={"unit": "magnification"})


@pytest.mark.parametrize(
    ("recorded", "options", "expected"),
    [
        ({"tile": {**TILE, "mpp": 1.0}, "cluster": CLUSTER}, {}, "tile: mpp: 1.0"),
        ({"tile": TILE, "cluster": {**CLUSTER, "normalise": "l2"}}, {}, "cluster: normalise: l2"),
        (
            {"tile": TILE, "cluster": CLUSTER, "embed": {"stain": "macenko"}},
            {},
            "set `embed: stain: macenko`",
        ),
        (
            {"tile": TILE, "cluster": CLUSTER},
            {"embed": {"encoders": {"resnet50": {"weights": "random"}}, "decode": "half"}},
            "set `embed: decode: exact`",
        ),
        ({}, {"without": "omics"}, "no omics"),
        ({}, {"covariates": [{"name": "age"}]}, "no clinical"),
        ({}, {"embed": {"encoders": {"uni": {}}}}, "another encoder"),
        ({}, {"weights": "hub"}, "other weights of the encoder"),
    ],
)
def test_what_a_bundle_was_not_trained_for_is_refused(
    bundled: Make, recorded: dict[str, Any], options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(CclError, match=expected):
        bundled(recorded, **options)


@pytest.mark.parametrize(
    ("without", "there", "absent"), [("omics", "clusters", "genomics"), ("slides", "genomics", "clusters")]
)
def test_a_bundle_of_incomplete_patients_needs_only_one_modality(
    bundled: Make, without: str, there: str, absent: str
) -> None:
    inputs = bundled({"cluster": CLUSTER}, without=without, incomplete=True).inputs
    wildcards = job(cohort="fresh", bundle="ours")
    files = inputs.predict(wildcards)
    assert there in files
    assert absent not in files
    assert bool(inputs.bundle_manifests(wildcards)) == bool(inputs.bundle_sheet(wildcards)) == (without == "omics")
    with pytest.raises(CclError, match=f"no {without}"):
        bundled({"cluster": CLUSTER}, without=without)


def test_patches_are_compared_with_those_of_the_bundle_s_encoder(bundled: Make) -> None:
    recorded = {"tile": {**TILE, "mpp": 1.0, "overlap": 64, "also_mpp": [2.0]}, "cluster": CLUSTER}
    low = {"mpp": 1.0, "overlap": 64, "also_mpp": [2.0]}
    embed = {"encoders": {"resnet50": {"weights": "random", "tiling": "low"}}}
    bundled(recorded, tilings={"low": low}, embed=embed)
    with pytest.raises(CclError, match=r"set `tilings: low: overlap: 64`"):
        bundled(recorded, tilings={"low": {**low, "overlap": 0}}, embed=embed)


def test_a_bundle_of_other_patches_than_published_says_so_beside_its_numbers(bundled: Make) -> None:
    recorded = {"tile": {**TILE, "mpp": 1.0}, "cluster": CLUSTER}
    made = bundled(recorded, tile={"mpp": 1.0}).bundles["fresh", "ours"].card
    assert made.caveats == ["encoder with random weights"]
    assert replace(made, features_encoder="conch").caveats[1:] == [
        "encoder reads patches of 256 px at 1 um/px (published: 512 px at 0.5 um/px)"
    ]


def test_the_number_of_clusters_is_the_bundle_s_own(bundled: Make) -> None:
    bundled({"tile": TILE, "cluster": {**CLUSTER, "k": 9}})
