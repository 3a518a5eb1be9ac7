"""SurvPath: its attention against one with all tokens and a mask, and its share of a bag."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ccl.data.batch import Batch, Shape
from ccl.methods import METHODS, hyper, load
from ccl.methods.survpath.network import PathwayAttention
from ccl.nn.replicas import Replicas

SHAPE = Shape((7, 5, 11), intervals=4, clusters=0, features=10)


def model(seeds=(0,), **overrides):
    return load("survpath").Model(SHAPE, hyper("survpath", {"width": 16, **overrides}), Replicas(seeds))


def batch(patches):
    rng = torch.Generator().manual_seed(0)
    genomics = tuple(torch.randn(1, 1, size, generator=rng) for size in SHAPE.families)
    return Batch(genomics, None, None, torch.randn(1, patches, 10, generator=rng))


@pytest.mark.parametrize("patches", [1, 40])
def test_attention_is_full_attention_whose_patches_by_patches_are_masked(patches):
    attention = PathwayAttention(Replicas((0, 1)), 16).double()
    torch.nn.init.normal_(attention.norm.weight)
    torch.nn.init.normal_(attention.norm.bias)
    pathways, bag = (torch.randn(2, count, 16, dtype=torch.float64) for count in (3, patches))
    ours = attention(pathways, bag)
    assert ours.shape == (2, 3 + patches, 8)
    hidden = torch.ones(3 + patches, 3 + patches, dtype=torch.bool)
    hidden[:3] = hidden[:, :3] = False
    for number in range(2):
        tokens = torch.cat([pathways[number], bag[number]])
        norm = attention.norm
        tokens = F.layer_norm(tokens, (16,), norm.weight[number, 0], norm.bias[number, 0])
        q, k, v = (tokens @ weight.T for weight in attention.to_qkv.weight[number].split(8))
        scores = (q @ k.T / 8**0.5).masked_fill(hidden, -torch.inf)
        torch.testing.assert_close(ours[number], torch.softmax(scores, dim=-1) @ v)


def seen(network, patient):
    """The patches that reach the first layer, for each replica."""
    given = []
    handle = network.patch.register_forward_pre_hook(lambda layer, inputs: given.append(inputs[0]))
    network(patient)
    handle.remove()
    return given[0]


def test_training_sees_other_patches_in_each_step_and_replica_and_none_twice():
    network, patient = model(seeds=(0, 1), patches=8).train(), batch(30)
    first, second = seen(network, patient), seen(network, patient)
    assert first.shape == (2, 8, 10)
    for one in (*first, *second):
        found = (one[:, None] == patient.bag[0]).all(dim=-1)
        assert found.sum(dim=1).tolist() == [1] * 8
        assert found.any(dim=0).sum() == 8
    assert not torch.equal(first, second)
    assert not torch.equal(*first)


def test_a_seed_decides_which_patches():
    first, again = (seen(model(seeds=(5,), patches=8).train(), batch(30)) for _ in range(2))
    assert torch.equal(first, again)


def test_evaluation_and_small_bags_are_read_whole():
    patient = batch(30)
    assert torch.equal(seen(model(patches=8).eval(), patient), patient.bag)
    assert torch.equal(seen(model(patches=30).train(), patient), patient.bag)


def test_its_authors_weigh_deaths_more():
    native = METHODS["survpath"].native
    assert (native.optimiser, native.schedule, native.nll_alpha) == ("radam", "cosine", 0.5)
