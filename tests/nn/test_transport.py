"""Optimal transport against the library POT."""

from __future__ import annotations

import numpy as np
import ot
import pytest
import torch

from ccl.nn.transport import transport_cost, unbalanced_plan


@pytest.fixture(scope="module")
def cost():
    rng = torch.Generator().manual_seed(0)
    return transport_cost(torch.rand(2, 3, 40, 8, generator=rng), torch.rand(2, 3, 6, 8, generator=rng))


def test_cost_is_the_squared_distance_of_shifted_vectors_as_a_share_of_the_largest():
    patches, families = np.random.default_rng(0).normal(size=(2, 5, 8)), np.random.default_rng(1).normal(size=(2, 3, 8))
    cost = transport_cost(torch.from_numpy(patches), torch.from_numpy(families))
    for number in range(2):
        a, b = (x[number] - x[number].min(axis=1, keepdims=True) for x in (patches, families))
        expected = ot.dist(a, b, metric="sqeuclidean")
        np.testing.assert_allclose(cost[number].numpy(), expected / expected.max(), rtol=1e-9)


def test_cost_is_not_moved_by_what_is_added_to_a_whole_vector():
    patches, families = torch.randn(5, 8), torch.randn(3, 8)
    moved = transport_cost(patches + 100 * torch.rand(5, 1), families - 7)
    torch.testing.assert_close(moved, transport_cost(patches, families), rtol=1e-4, atol=1e-4)


def test_the_cost_of_patches_that_are_all_families_is_nought():
    cost = transport_cost(torch.ones(4, 8), torch.zeros(3, 8))
    assert (cost == 0).all()


@pytest.mark.filterwarnings("ignore:If reg_type = entropy")
@pytest.mark.parametrize("epsilon", [0.05, 0.1])
@pytest.mark.parametrize("tau", [0.5, 5.0])
def test_plans_are_those_of_the_library(cost, epsilon, tau):
    rows, columns = np.full(40, 1 / 40), np.full(6, 1 / 6)
    plan = unbalanced_plan(
        cost,
        torch.from_numpy(rows).expand(2, 3, -1),
        torch.from_numpy(columns).expand(2, 3, -1),
        epsilon=epsilon,
        tau=tau,
    )
    for one, costs in zip(plan.flatten(0, 1), cost.flatten(0, 1), strict=True):
        # With its default, "kl", the library's kernel would be multiplied with the product of the margins.
        theirs = ot.unbalanced.sinkhorn_unbalanced(
            rows, columns, costs.numpy(), epsilon, tau, reg_type="entropy", stopThr=1e-12, numItermax=10_000
        )
        np.testing.assert_allclose(one.numpy(), theirs, rtol=1e-4)


def test_a_patch_without_mass_is_as_good_as_absent(cost):
    columns = torch.full((2, 3, 6), 1 / 6, dtype=torch.float64)
    rows = torch.full((2, 3, 40), 1 / 30, dtype=torch.float64)
    rows[..., 30:] = 0
    plan = unbalanced_plan(cost, rows, columns, epsilon=0.1, tau=0.5)
    assert (plan[..., 30:, :] == 0).all()
    alone = unbalanced_plan(cost[..., :30, :], rows[..., :30], columns, epsilon=0.1, tau=0.5)
    torch.testing.assert_close(plan[..., :30, :], alone)


def test_what_is_close_gets_more(cost):
    columns = torch.full((2, 3, 6), 1 / 6, dtype=torch.float64)
    near = cost.clone()
    near[..., 0, 0] = 0
    rows = torch.full((2, 3, 40), 1 / 40, dtype=torch.float64)
    before, after = (unbalanced_plan(one, rows, columns, epsilon=0.1, tau=0.5)[..., 0, 0] for one in (cost, near))
    assert (after > before).all()
