"""Cluster centre alignment against stored numbers and exhaustive search."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccl.methods.ccl.alignment import SCORED_UP_TO, best_order, cosine_costs, l1_costs

GOLDEN = Path(__file__).parents[2] / "golden"


def align(centres, anchor, costs=l1_costs):
    """Return centres (k, D) in the order of an anchor (k, D)."""
    return centres[best_order(costs(centres[None, None], anchor[None]))[0, 0]]


@pytest.mark.parametrize("number", range(3))
def test_golden_alignment(number):
    case = {
        key: torch.from_numpy(np.asarray(value)) for key, value in np.load(GOLDEN / f"alignment_{number}.npz").items()
    }
    aligned = align(case["centers"], case["anchor"])
    torch.testing.assert_close(aligned, case["aligned"], atol=0, rtol=0)
    assert (aligned - case["anchor"]).abs().sum().item() == pytest.approx(case["cost"].item(), rel=1e-6)
    torch.testing.assert_close(case["anchor"].clone().lerp_(aligned, 0.1), case["anchor_after"])


@settings(max_examples=30)
@given(st.permutations(range(5)), st.integers(0, 1000))
def test_alignment_forgets_the_order_of_the_centres_and_is_the_best_one(order, seed):
    rng = torch.Generator().manual_seed(seed)
    # With few features two orders can have the same L1 cost.
    centres, anchor = torch.randn(5, 16, generator=rng), torch.randn(5, 16, generator=rng)
    aligned = align(centres[list(order)], anchor)
    best = min((centres[list(other)] - anchor).abs().sum().item() for other in permutations(range(5)))
    assert (aligned - anchor).abs().sum().item() == pytest.approx(best, rel=1e-5)
    torch.testing.assert_close(aligned, align(centres, anchor))


@pytest.mark.parametrize("k", [1, 2, 6, SCORED_UP_TO, SCORED_UP_TO + 1, 9])
def test_scored_and_solved_orders_are_optimal(k):
    """The dual of the assignment: no swap or rotation of places lowers the cost, and both ways agree on its value."""
    costs = torch.rand(3, 2, k, k, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
    order = best_order(costs)
    assert order.shape == (3, 2, k)
    assert (order.sort(dim=-1).values == torch.arange(k)).all()
    from scipy.optimize import linear_sum_assignment

    found = costs.gather(-1, order[..., None]).sum(dim=(2, 3)).flatten()
    solved = [cost[linear_sum_assignment(cost)].sum() for cost in costs.flatten(0, 1).numpy()]
    np.testing.assert_allclose(found, solved)


def test_cosine_does_not_see_lengths():
    centres, anchor = torch.randn(6, 9), torch.randn(6, 9)
    scaled = centres * torch.rand(6, 1).add(0.5)
    costs = [cosine_costs(c[None, None], anchor[None]) for c in (centres, scaled)]
    torch.testing.assert_close(*costs)
    expected = torch.nn.functional.cosine_similarity(anchor[:, None], centres[None], dim=-1)
    torch.testing.assert_close(costs[0][0, 0], -expected)
