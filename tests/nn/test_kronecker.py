"""Fusion of two vectors by the products of all pairs of their channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ccl.nn.kronecker import KroneckerFusion, kronecker
from ccl.nn.replicas import Replicas


def test_products_are_those_of_numpy():
    a, b = torch.randn(2, 3, 4), torch.randn(2, 3, 5)
    expected = np.stack([[np.kron(a[s, i], b[s, i]) for i in range(3)] for s in range(2)])
    np.testing.assert_array_equal(kronecker(a, b), expected)


@pytest.mark.parametrize(("skip", "count"), [(False, 396_224), (True, 527_296)])
def test_published_counts(skip, count):
    fusion = KroneckerFusion(Replicas((0,)), 256, dropout=0.25, skip=skip)
    assert sum(weight.numel() for weight in fusion.parameters()) == count


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize("skip", [False, True])
def test_fusion_by_the_formulas(skip):
    replicas, width = Replicas((0, 1)), 6
    fusion = KroneckerFusion(replicas, width, dropout=0.25, late_dropout=0.25, skip=skip).double().eval()
    a, b = torch.randn(2, 1, width, dtype=torch.float64), torch.randn(2, 1, width, dtype=torch.float64)
    fused = fusion(a, b).detach()
    assert fused.shape == (2, 1, width)
    own = {name: value.numpy() for name, value in fusion.state_dict().items()}
    for number in range(2):

        def layer(name, x, number=number):
            return own[f"{name}.weight"][number] @ x + own[f"{name}.bias"][number, 0]

        one, two = a[number, 0].numpy(), b[number, 0].numpy()
        both = np.concatenate([one, two])
        reduced = []
        for index, x in enumerate((one, two)):
            gate = 1 / (1 + np.exp(-layer(f"gated.{index}.gate", both)))
            kept = relu(layer(f"gated.{index}.out.linear", gate * relu(layer(f"gated.{index}.reduce", x))))
            reduced.append(np.append(kept, 1.0))
        hidden = relu(layer("first.linear", np.outer(*reduced).ravel()))
        seen = np.concatenate([hidden, both]) if skip else hidden
        np.testing.assert_allclose(fused[number, 0].numpy(), relu(layer("second.linear", seen)))
