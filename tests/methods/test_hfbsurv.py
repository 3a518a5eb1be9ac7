"""HFBSurv's network by its formulas, and where these are delicate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ccl.methods.hfbsurv.network import BilinearPool, HierarchicalFusion
from ccl.nn.replicas import Replicas


def pooled(product):
    """Of 20 channels, 20 terms each: the signed root of their sums, at length one."""
    sums = np.array([sum(product[20 * channel + term] for term in range(20)) for channel in range(20)])
    roots = np.sign(sums) * np.sqrt(np.abs(sums))
    return roots / np.linalg.norm(roots)


def test_the_network_by_the_formulas():
    network = HierarchicalFusion(Replicas((0, 1)), 16, 4).double().eval()
    nn.init.normal_(network.norm.weight)
    nn.init.normal_(network.norm.bias)
    vectors = torch.randn(2, 2, 1, 16, dtype=torch.float64)
    logits = network(vectors).detach()
    assert logits.shape == (2, 1, 4)
    own = {name: value.numpy() for name, value in network.state_dict().items()}
    for number in range(2):

        def layer(name, x, *index, number=number):
            return own[f"{name}.weight"][number, *index] @ x + own[f"{name}.bias"][number, *index, 0]

        gated = []
        for modality in range(2):
            x = vectors[number, modality, 0].numpy()
            for name in ("reduce.0", "reduce.1"):
                x = np.tanh(layer(name, x, modality))
            x = np.concatenate([x, pooled(layer("within", x, modality) ** 2)])
            gated.append(x / (1 + np.exp(-layer("gate", x))))
        both = pooled(layer("between", gated[0]) * layer("between", gated[1]))
        x = np.concatenate([gated[0] + gated[1], both])
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        x = x * own["norm.weight"][number, 0] + own["norm.bias"][number, 0]
        for name in ("layers.0", "layers.1"):
            x = np.tanh(layer(name, x))
        np.testing.assert_allclose(logits[number, 0].numpy(), layer("head", x), rtol=1e-4)


def test_the_count_without_what_stands_before():
    network = HierarchicalFusion(Replicas((0,)), 256, 4)
    assert sum(weight.numel() for weight in network.parameters()) == 140_255


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e-6])
def test_the_root_of_next_to_nothing_has_a_finite_slope(scale):
    product = (scale * torch.randn(1, 1, 400)).requires_grad_()
    out = BilinearPool(Replicas((0,))).eval()(product)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(product.grad).all()
