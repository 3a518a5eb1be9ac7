"""The cluster stage on features that the tests write."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from ccl.cluster.stage import cluster_cohort
from ccl.config.sections import ClusterSettings
from ccl.io.errors import CclError, InputError, StageError
from ccl.io.files import digest, write_table
from ccl.io.formats import Clusters, Features, ManifestRow, write_manifest

SETTINGS = ClusterSettings(k=3, restarts=2, empty="reseed", normalise="none")
OWNERS = {"a1": "A", "a2": "A", "b1": "B", "c1": "C"}


class Cohort:
    """Features, manifests and sample sheet of three patients, of whom A has two slides."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = {}
        rng = np.random.default_rng(0)
        for number, slide in enumerate(OWNERS):
            # Three groups of patches far apart, so that the clusters are known.
            self.write(slide, np.repeat(20 * np.eye(3, 5), 4 + number, axis=0) + rng.normal(size=(3 * (4 + number), 5)))

    def write(self, slide, features, *, encoder="resnet50", weights="hub"):
        path = self.folder / "embed" / f"{slide}.h5"
        values = np.asarray(features, dtype=np.float16)
        coords = np.zeros((len(values), 2), dtype=np.int64)
        key = digest(values.tolist(), encoder, weights)
        Features(values, coords, encoder, weights, {}).write(path, key)
        self.rows[slide] = ManifestRow(slide, "ok", path, key, len(values), "")

    def exclude(self, slide, reason):
        self.rows[slide] = replace(self.rows[slide], status="excluded", message=reason)

    def cluster(self, *, on_bad_slide="fail", threads=1, overwrite=False, name="k3.h5", **settings):
        slides = pd.DataFrame(
            [(slide, owner, f"{slide}.svs", np.nan) for slide, owner in OWNERS.items()],
            columns=["slide_id", "patient_id", "path", "mpp"],
        )
        write_table(self.folder / "slides.csv", slides)
        shards = [self.folder / "embed" / "manifests" / f"{shard}.tsv" for shard in range(2)]
        rows = list(self.rows.values())
        for shard, path in enumerate(shards):
            write_manifest(path, rows[shard::2])
        out = self.folder / name
        cluster_cohort(
            slides=self.folder / "slides.csv",
            manifests=shards,
            out=out,
            settings=replace(SETTINGS, **settings),
            on_bad_slide=on_bad_slide,
            threads=threads,
            overwrite=overwrite,
        )
        return Clusters.read(out)


@pytest.fixture
def cohort(tmp_path):
    return Cohort(tmp_path)


def features_of(cohort, slide):
    return Features.read(cohort.rows[slide].path).features.astype(np.float32)


def test_centres_are_the_means_of_their_patches_over_all_slides_of_a_patient(cohort):
    found = cohort.cluster()
    assert found.patients == ("A", "B", "C")
    assert (found.encoder, found.weights, found.left_out) == ("resnet50", "hub", {})
    for number, patient in enumerate(found.patients):
        own = [slide for slide, owner in OWNERS.items() if owner == patient]
        bag = np.concatenate([features_of(cohort, slide) for slide in own])
        labels = np.concatenate([found.labels[slide] for slide in own])
        assert found.sizes[number].tolist() == np.bincount(labels).tolist() == [len(bag) // 3] * 3
        for cluster in range(3):
            np.testing.assert_allclose(found.centres[number, cluster], bag[labels == cluster].mean(axis=0), atol=1e-5)
        # Patches of one planted group share a cluster.
        for slide in own:
            assert all(len(set(group)) == 1 for group in np.split(found.labels[slide], 3))


def test_a_patients_centres_depend_on_neither_the_threads_nor_the_other_patients(cohort):
    # Noise without clusters, where K-means would show any difference in its start.
    for slide in OWNERS:
        cohort.write(slide, np.random.default_rng(len(slide)).normal(size=(60, 5)))
    one, two = cohort.cluster(), cohort.cluster(threads=2, name="two.h5")
    np.testing.assert_array_equal(one.centres, two.centres)
    cohort.write("b1", np.random.default_rng(9).normal(size=(50, 5)))
    other = cohort.cluster()
    np.testing.assert_array_equal(one.centres[[0, 2]], other.centres[[0, 2]])
    assert not np.allclose(one.centres[1], other.centres[1])


def test_every_patient_with_too_few_patches_is_named_and_nothing_is_written(cohort):
    cohort.write("b1", np.ones((2, 5)))
    cohort.write("c1", np.tile([[0.0], [1.0]], (10, 5)))
    with pytest.raises(StageError) as caught:
        cohort.cluster()
    assert "B: 2 patches, fewer than the 3 clusters wanted" in str(caught.value)
    assert "C: 2 different patches, fewer than the 3 clusters wanted" in str(caught.value)
    assert not (cohort.folder / "k3.h5").exists()


def test_on_demand_bad_patients_are_left_out_with_the_reason(cohort):
    cohort.write("b1", np.ones((2, 5)))
    features = features_of(cohort, "c1")
    features[3, 1] = np.nan
    cohort.write("c1", features)
    found = cohort.cluster(on_bad_slide="exclude")
    assert found.patients == ("A",)
    assert found.left_out == {
        "B": "2 patches, fewer than the 3 clusters wanted",
        "C": "features that are not finite, of slide c1",
    }
    assert "c1" not in found.labels


def test_features_that_are_not_finite_fail_by_slide(cohort):
    features = features_of(cohort, "a2")
    features[0, 0] = np.inf
    cohort.write("a2", features)
    with pytest.raises(StageError, match="A: features that are not finite, of slide a2"):
        cohort.cluster()


def test_excluded_slides_do_not_count_and_their_patients_are_left_out(cohort):
    cohort.exclude("a1", "tissue: no tissue")
    cohort.exclude("b1", "tile: too few patches")
    found = cohort.cluster()
    assert found.patients == ("A", "C")
    assert found.left_out == {"B": "all slides excluded: b1: tile: too few patches"}
    assert set(found.labels) == {"a2", "c1"}
    assert found.sizes[0].sum() == len(features_of(cohort, "a2"))


def test_a_cohort_without_any_centres_fails_even_if_bad_slides_may_be_excluded(cohort):
    with pytest.raises(StageError, match="3 of 3 patients"):
        cohort.cluster(on_bad_slide="exclude", k=60)


@pytest.mark.parametrize(
    ("damage", "todo"), [("delete", "snakemake --forcerun embed"), ("overwrite", "ccl verify --mend")]
)
def test_a_file_that_the_manifest_lists_must_be_there_and_whole(cohort, damage, todo):
    path = cohort.rows["b1"].path
    path.unlink() if damage == "delete" else path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match=rf"b1[\s\S]*{todo}"):
        cohort.cluster(on_bad_slide="exclude")


@pytest.mark.parametrize("slide", ["a2", "c1"])
@pytest.mark.parametrize("change", [{"encoder": "uni"}, {"columns": 4}])
def test_features_of_two_encoders_are_refused(cohort, slide, change):
    features = features_of(cohort, slide)[:, : change.get("columns", 5)]
    cohort.write(slide, features, encoder=change.get("encoder", "resnet50"))
    with pytest.raises(InputError, match="different encoders"):
        cohort.cluster()


@pytest.mark.parametrize("slide", ["b1", "a2"], ids=["of a patient of its own", "of a patient with another slide"])
def test_features_of_other_weights_are_refused(cohort, slide):
    cohort.cluster()
    cohort.write(slide, features_of(cohort, slide), weights="file:abc")
    with pytest.raises(InputError, match="different weights") as error:
        cohort.cluster()
    assert "weights hub" in error.value.found
    assert "weights file:abc" in error.value.found


def test_features_that_are_not_those_of_the_manifest_are_refused(cohort):
    row = cohort.rows["b1"]
    cohort.write("b1", features_of(cohort, "b1") + 1)
    cohort.rows["b1"] = row
    with pytest.raises(InputError, match="not the one that its manifest lists"):
        cohort.cluster()


@pytest.mark.parametrize("stray", ["missing", "surplus"])
def test_manifests_and_sample_sheet_must_list_the_same_slides(cohort, stray):
    if stray == "missing":
        del cohort.rows["c1"]
    else:
        cohort.write("d1", np.ones((5, 5)))
    with pytest.raises(InputError, match="do not list the same slides"):
        cohort.cluster()


def made(cohort):
    """When each patient's file was written."""
    return {path.stem: path.stat().st_mtime_ns for path in (cohort.folder / "k3").glob("*.h5")}


def again(cohort, **rest):
    """Cluster again, and return the patients whose files were written again."""
    before = made(cohort)
    cohort.cluster(**rest)
    return {patient for patient, time in made(cohort).items() if before.get(patient) != time}


def test_a_patient_is_clustered_again_only_if_something_changed(cohort):
    cohort.cluster()
    assert set(made(cohort)) == {"A", "B", "C"}
    assert again(cohort) == set()
    cohort.write("b1", features_of(cohort, "b1") + 1)
    assert again(cohort) == {"B"}
    cohort.exclude("a2", "tile: too few patches")
    assert again(cohort) == {"A"}
    assert again(cohort, overwrite=True) == {"A", "B", "C"}


def test_an_added_slide_clusters_its_patient_again(cohort, monkeypatch):
    cohort.cluster()
    monkeypatch.setitem(OWNERS, "b2", "B")
    cohort.write("b2", features_of(cohort, "c1"))
    assert again(cohort) == {"B"}
    assert set(Clusters.read(cohort.folder / "k3" / "B.h5").labels) == {"b1", "b2"}


@pytest.mark.parametrize("change", [{"restarts": 1}, {"empty": "zero"}, {"normalise": "l2"}])
def test_another_setting_clusters_all_again(cohort, change):
    cohort.cluster()
    assert again(cohort, **change) == {"A", "B", "C"}


def test_a_patients_own_file_holds_what_the_cohorts_holds(cohort):
    found = cohort.cluster()
    own = Clusters.read(cohort.folder / "k3" / "A.h5")
    assert own.patients == ("A",)
    np.testing.assert_array_equal(own.centres[0], found.centres[0])
    np.testing.assert_array_equal(own.sizes[0], found.sizes[0])
    assert set(own.labels) == {"a1", "a2"}
    np.testing.assert_array_equal(own.labels["a2"], found.labels["a2"])


@pytest.mark.parametrize("damage", ["garbage", "half", "member"])
def test_a_damaged_file_of_a_patient_is_made_again(cohort, damage):
    first = cohort.cluster()
    path = cohort.folder / "k3" / "B.h5"
    if damage == "member":
        with h5py.File(path, "a") as file:
            del file["centres"]
    else:
        path.write_bytes(b"not HDF5" if damage == "garbage" else path.read_bytes()[: path.stat().st_size // 2])
    assert again(cohort) == {"B"}
    np.testing.assert_array_equal(Clusters.read(cohort.folder / "k3.h5").centres, first.centres)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("trouble", ["few", "damaged", "mixed"])
def test_a_bad_patient_costs_no_other_its_work(cohort, trouble, threads):
    if trouble == "few":
        cohort.write("b1", np.ones((2, 5)))
    elif trouble == "damaged":
        cohort.rows["b1"].path.write_bytes(b"not HDF5")
    else:
        cohort.write("a2", features_of(cohort, "a2"), encoder="uni")
    with pytest.raises(CclError):
        cohort.cluster(threads=threads)
    assert set(made(cohort)) == {"A", "B", "C"} - {"A" if trouble == "mixed" else "B"}
    assert not (cohort.folder / "k3.h5").exists()


def test_the_share_of_empty_clusters_is_told(cohort, capsys):
    assert cohort.cluster().empty_rate == 0
    cohort.write("c1", np.tile([[0.0], [1.0]], (10, 5)))
    found = cohort.cluster(empty="zero")
    assert found.empty_rate == pytest.approx(1 / 9)
    assert sorted(found.sizes[2]) == [0, 10, 10]
    assert not found.centres[2][found.sizes[2] == 0].any()
    assert "11.11% of the clusters are empty" in capsys.readouterr().err


def test_fewer_patches_than_clusters_are_refused_also_with_zero(cohort):
    cohort.write("b1", np.ones((2, 5)))
    with pytest.raises(StageError, match="B: 2 patches, fewer than the 3 clusters wanted"):
        cohort.cluster(empty="zero")
