"""PORPOISE."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods import METHODS, hyper, load
from ccl.nn.replicas import Replicas

SHAPE = Shape((7, 5, 11), intervals=4, clusters=0, features=10)


@pytest.fixture
def batch():
    outcomes = Outcomes(torch.tensor([[1], [1]]), torch.zeros(2, 1), torch.ones(2, 1))
    return Batch(tuple(torch.randn(1, 1, size) for size in SHAPE.families), None, outcomes, torch.randn(1, 30, 10))


def model(**overrides):
    chosen = hyper("porpoise", {"width": 24, "hidden": 16, **overrides})
    return load("porpoise").Model(SHAPE, chosen, Replicas((0, 1)))


def test_the_penalty_is_on_the_genes_and_the_fusion_of_each_replica(batch):
    network = model(l1=0.5)
    aux = network.train()(batch).aux
    for number in range(2):
        total = sum(
            np.abs(value[number].numpy()).sum(dtype=np.float64)
            for name, value in network.state_dict().items()
            if name.startswith(("genes.", "fusion."))
        )
        assert aux["l1"][number].item() == pytest.approx(0.5 * total, rel=1e-5)


def test_the_penalty_reaches_these_weights_alone(batch):
    network = model(l1=0.5).train()
    network(batch).aux["l1"].sum().backward()
    for name, weight in network.named_parameters():
        if name.startswith(("genes.", "fusion.")):
            torch.testing.assert_close(weight.grad, 0.5 * weight.detach().sign())
        else:
            assert weight.grad is None


def test_there_is_no_penalty_by_default_or_without_outcomes(batch):
    assert model().train()(batch).aux == {}
    penalised = model(l1=0.5).train()
    assert penalised(Batch(batch.genomics, None, None, batch.bag)).aux == {}
    assert penalised.eval()(batch).aux == {}


def test_its_authors_train_it_with_the_penalty():
    assert hyper("porpoise", METHODS["porpoise"].native.hyper).l1 == 1e-5
