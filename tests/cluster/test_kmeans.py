"""K-means against scikit-learn, against a golden run, and against what defines it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from ccl.cluster.bag import Bag
from ccl.cluster.kmeans import kmeans, lloyd, seed_centres

GOLDEN = Path(__file__).parents[1] / "golden" / "kmeans_from_anchor.npz"


def blobs(rng: np.random.Generator) -> NDArray[np.float64]:
    return 10 * rng.normal(size=(5, 12))[rng.integers(5, size=400)] + rng.normal(size=(400, 12))


def sparse(rng: np.random.Generator) -> NDArray[np.float64]:
    return np.maximum(rng.normal(size=(500, 6)) @ rng.normal(size=(6, 64)) - 1, 0)


def noise(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.uniform(size=(600, 8))


def duplicates(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.normal(size=(9, 10))[rng.integers(9, size=300)]


def far_from_zero(rng: np.random.Generator) -> NDArray[np.float64]:
    return 300 + noise(rng)


def exact_inertia(patches: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    wide = patches.astype(np.float64)
    return float(sum(((own - own.mean(axis=0)) ** 2).sum() for own in (wide[labels == c] for c in np.unique(labels))))


@pytest.mark.parametrize("make", [blobs, sparse, noise, duplicates, far_from_zero])
def test_inertia_is_that_of_scikit_learn(make):
    ours, theirs = [], []
    for seed in range(20):
        patches = make(np.random.default_rng(seed)).astype(np.float32)
        ours.append(kmeans(Bag([patches]), 5, restarts=3, seed=seed, empty="reseed").inertia)
        theirs.append(KMeans(5, n_init=3, random_state=seed).fit(patches.astype(np.float64)).inertia_)
    assert np.mean(np.divide(ours, theirs)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("make", [blobs, sparse, noise, far_from_zero])
def test_from_the_same_centres_lloyd_ends_where_scikit_learn_does(make):
    patches = make(np.random.default_rng(1)).astype(np.float32)
    starts = seed_centres(Bag([patches]), 5, restarts=1, seed=0)
    found = lloyd(Bag([patches]), starts, empty="reseed", tolerance=0)
    oracle = KMeans(5, init=starts[0], n_init=1, tol=0).fit(patches.astype(np.float64))
    np.testing.assert_array_equal(found.labels, oracle.labels_)
    np.testing.assert_allclose(found.centres, oracle.cluster_centers_, rtol=1e-5, atol=1e-5)
    assert found.inertia == pytest.approx(oracle.inertia_, rel=1e-5)


def test_lloyd_from_anchors_ends_at_the_golden_fixed_point():
    golden = np.load(GOLDEN)
    patches = golden["patches"]
    nearest = ((patches[:, None] - golden["anchor"]) ** 2).sum(axis=2).argmin(axis=0)
    found = lloyd(Bag([patches]), patches[nearest][None].astype(np.float64), empty="zero", tolerance=0)
    np.testing.assert_array_equal(found.labels, golden["labels"])
    np.testing.assert_allclose(found.centres, golden["centers"], atol=1e-4)


bags = st.builds(
    lambda seed, n, dim, groups: (
        np.random.default_rng(seed).normal(size=(groups, dim)).repeat(n // groups + 1, axis=0)[:n]
        + np.random.default_rng(seed + 1).normal(size=(n, dim)) * 0.5
    ).astype(np.float32),
    st.integers(0, 10_000),
    st.integers(8, 200),
    st.integers(1, 40),
    st.integers(1, 8),
)


@given(bags, st.integers(2, 8), st.sampled_from([np.float16, np.float32]), st.sampled_from(["reseed", "zero"]))
def test_centres_are_means_and_patches_lie_nearest_to_their_own(patches, k, dtype, empty):
    stored = patches.astype(dtype)
    bag = Bag([stored[:5], stored[5:]])
    found = lloyd(bag, seed_centres(bag, k, restarts=2, seed=0), empty=empty, tolerance=0)
    wide = stored.astype(np.float64)
    np.testing.assert_array_equal(found.sizes, np.bincount(found.labels, minlength=k))
    assert found.sizes.sum() == len(patches)
    for cluster in np.flatnonzero(found.sizes):
        mean = wide[found.labels == cluster].mean(axis=0)
        np.testing.assert_allclose(found.centres[cluster], mean, rtol=1e-4, atol=1e-5)
    assert not found.centres[found.sizes == 0].any()
    assert found.inertia == pytest.approx(exact_inertia(stored, found.labels), rel=1e-4, abs=1e-4)
    distances = np.linalg.norm(wide[:, None] - found.centres, axis=2)
    own = distances[np.arange(len(wide)), found.labels]
    if empty == "reseed":
        assert found.sizes.all()
    assert (own <= distances.min(axis=1) * (1 + 1e-3) + 1e-3).all()


@given(bags, st.randoms(use_true_random=False))
def test_the_order_of_the_patches_does_not_matter(patches, random):
    starts = patches[None, :4].astype(np.float64)
    order = np.array(random.sample(range(len(patches)), len(patches)))
    one = lloyd(Bag([patches]), starts, empty="zero", tolerance=0)
    other = lloyd(Bag([patches[order]]), starts, empty="zero", tolerance=0)
    np.testing.assert_array_equal(one.labels[order], other.labels)
    np.testing.assert_allclose(one.centres, other.centres, rtol=1e-4, atol=1e-5)


@given(bags)
def test_slides_are_one_bag(patches):
    whole = kmeans(Bag([patches]), 3, restarts=2, seed=1, empty="reseed")
    parts = kmeans(Bag(np.array_split(patches, 3)), 3, restarts=2, seed=1, empty="reseed")
    np.testing.assert_array_equal(whole.labels, parts.labels)


@given(bags)
def test_more_restarts_are_no_worse(patches):
    inertia = [kmeans(Bag([patches]), 4, restarts=count, seed=3, empty="reseed").inertia for count in (1, 2, 5)]
    assert inertia[0] * (1 + 1e-5) >= inertia[1]
    assert inertia[1] * (1 + 1e-5) >= inertia[2]


def test_the_seed_decides():
    bag = Bag([noise(np.random.default_rng(0)).astype(np.float32)])
    one, same, other = (kmeans(bag, 6, restarts=2, seed=seed, empty="reseed") for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.centres, same.centres)
    assert not np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_large_bag_of_many_blocks(threads):
    patches = sparse(np.random.default_rng(2)).repeat(8, axis=0) @ np.random.default_rng(3).normal(size=(64, 300))
    with threadpool_limits(threads):
        found = kmeans(Bag([patches.astype(np.float32)]), 4, restarts=2, seed=0, empty="reseed")
    oracle = KMeans(4, n_init=10, random_state=0).fit(patches)
    assert found.inertia == pytest.approx(oracle.inertia_, rel=0.02)


def test_an_empty_cluster_takes_the_farthest_patch():
    patches = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0]], dtype=np.float32)
    starts = np.array([[[0.1], [5.5], [100.0]]])
    found = lloyd(Bag([patches]), starts, empty="reseed", tolerance=0)
    np.testing.assert_array_equal(found.labels, [0, 0, 0, 1, 1, 2])


def test_or_the_zero_vector_as_its_centre():
    patches = np.array([[2.0], [2.1], [5.0], [5.1]], dtype=np.float32)
    found = lloyd(Bag([patches]), np.array([[[2.0], [5.0], [100.0]]]), empty="zero", tolerance=0)
    np.testing.assert_array_equal(found.labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.sizes, [2, 2, 0])
    assert found.centres[2] == 0


def test_a_cluster_that_loses_all_its_patches_gets_the_zero_vector():
    # The second cluster starts with -3.1 and 3.3; then its neighbours have come nearer to both.
    patches = np.array([[-4.0], [-3.1], [3.3], [4.2]], dtype=np.float32)
    found = lloyd(Bag([patches]), np.array([[[-7.0], [0.05], [7.0]]]), empty="zero", tolerance=0)
    np.testing.assert_array_equal(found.labels, [0, 0, 2, 2])
    assert found.centres[1] == 0


def test_as_many_clusters_as_patches():
    patches = np.arange(6, dtype=np.float32)[:, None]
    found = kmeans(Bag([patches]), 6, restarts=2, seed=0, empty="reseed")
    assert sorted(found.labels) == list(range(6))
    assert found.inertia == pytest.approx(0, abs=1e-5)


def test_patches_that_repeat_leave_clusters_of_zero_vectors():
    patches = np.repeat([[1.0, 2.0], [3.0, 4.0]], 10, axis=0).astype(np.float16)
    found = kmeans(Bag([patches]), 4, restarts=3, seed=0, empty="zero")
    assert sorted(found.sizes) == [0, 0, 10, 10]
    assert not found.centres[found.sizes == 0].any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_l2_clusters_directions(dtype):
    rng = np.random.default_rng(0)
    directions = np.repeat(np.eye(3, 8), 20, axis=0) + 0.02 * rng.normal(size=(60, 8))
    patches = (directions * rng.uniform(0.1, 10, size=(60, 1))).astype(dtype)
    found = kmeans(Bag([patches], normalise="l2"), 3, restarts=3, seed=0, empty="reseed")
    assert all(len(set(group)) == 1 for group in np.split(found.labels, 3))
    unit = patches.astype(np.float64) / np.linalg.norm(patches.astype(np.float64), axis=1, keepdims=True)
    for cluster in range(3):
        np.testing.assert_allclose(found.centres[cluster], unit[found.labels == cluster].mean(axis=0), atol=1e-5)


def test_l2_leaves_a_patch_of_zeros():
    patches = np.array([[0, 0], [3, 4]], dtype=np.float32)
    np.testing.assert_allclose(Bag([patches], normalise="l2").rows(np.arange(2)), [[0, 0], [0.6, 0.8]])


def test_different_patches_are_counted_to_the_limit():
    bag = Bag([np.array([[0.0], [-0.0]], dtype=np.float16), np.array([[1.0], [2.0], [1.0]], dtype=np.float16)])
    assert [bag.different(limit) for limit in (1, 2, 3, 9)] == [1, 2, 3, 3]
