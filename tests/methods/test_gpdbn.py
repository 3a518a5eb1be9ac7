"""GPDBN's network by its formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods import METHODS, hyper, load
from ccl.methods.gpdbn.network import BilinearNetwork
from ccl.nn.replicas import Replicas


def relu(x):
    return np.maximum(x, 0)


def test_the_network_by_the_formulas():
    network = BilinearNetwork(Replicas((0, 1)), 4).double().eval()
    genes, slide = torch.rand(2, 2, 1, 32, dtype=torch.float64)
    logits = network(genes, slide).detach()
    assert logits.shape == (2, 1, 4)
    own = {name: value.numpy() for name, value in network.state_dict().items()}
    for number in range(2):

        def layer(name, x, number=number):
            return own[f"{name}.weight"][number] @ x + own[f"{name}.bias"][number, 0]

        g, p = genes[number, 0].numpy(), slide[number, 0].numpy()
        products = [np.outer(a, b).ravel() for a, b in ((g, g), (p, p), (g, p))]
        bilinear = [relu(layer(f"bilinear.{index}.linear", product)) for index, product in enumerate(products)]
        x = np.concatenate([g, p, *bilinear])
        for index in range(4):
            x = relu(layer(f"layers.{index}.linear", x))
        np.testing.assert_allclose(logits[number, 0].numpy(), layer("layers.4", x))


def test_the_published_count_without_what_stands_before():
    network = BilinearNetwork(Replicas((0,)), 4)
    assert sum(weight.numel() for weight in network.parameters()) == 289_412


@pytest.mark.parametrize("name", ["gpdbn", "hfbsurv"])
def test_the_penalty_is_on_the_published_network_alone(name):
    shape = Shape((7, 5), intervals=4, clusters=0, features=10)
    model = load(name).Model(shape, hyper(name, {"width": 16, "l1": 0.5}), Replicas((0, 1))).train()
    outcomes = Outcomes(torch.ones(2, 1, dtype=torch.int64), torch.zeros(2, 1), torch.ones(2, 1))
    batch = Batch((torch.randn(1, 1, 7), torch.randn(1, 1, 5)), None, outcomes, torch.randn(1, 20, 10))
    penalty = model(batch).aux["l1"]
    for number in range(2):
        total = sum(weight[number].abs().double().sum() for weight in model.network.parameters())
        assert penalty[number].item() == pytest.approx(0.5 * total.item(), rel=1e-5)
    penalty.sum().backward()
    assert all(weight.grad is None for part in (model.bag, model.genes) for weight in part.parameters())
    assert model.eval()(batch).aux == {}


@pytest.mark.parametrize("name", ["gpdbn", "hfbsurv"])
def test_its_authors_take_one_step_an_epoch_with_a_penalty(name):
    native = METHODS[name].native
    assert native.accumulate > 100_000
    assert hyper(name, native.hyper).l1 > 0
    assert hyper(name, {}).l1 == 0
