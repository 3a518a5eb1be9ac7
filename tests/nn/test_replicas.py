"""Replicas: each is what it would be alone, and the steps of blocks and factors are plain gradient descent."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from ccl.nn.replicas import AlphaDropout, Dropout, InputLinear, LayerNorm, Linear, Replicas
from ccl.train.sgd import SGD


def test_a_seed_draws_the_same_alone_and_in_company():
    alone, company = Replicas((7,)), Replicas((3, 7))
    for draw in (
        lambda r: r.normal(3, 2),
        lambda r: r.uniform(4),
        lambda r: r.orders(9),
        lambda r: r.orders(9, np.arange(9.0)),
        lambda r: r.ahead(_twice, (2, 3))[0],
        lambda r: r.ahead(_twice, (2, 3))[0],
    ):
        one, two = draw(alone), draw(company)
        torch.testing.assert_close(one[0], two[1], atol=0, rtol=0)
        assert not torch.equal(two[0], two[1])


def _twice(uniform):
    return (2 * uniform,)


def test_restored_chance_goes_on_where_it_was():
    replicas = Replicas((0, 1))
    replicas.ahead(_twice, (5,))
    state = copy.deepcopy(replicas.state())
    first = (replicas.ahead(_twice, (5,))[0], replicas.orders(6))
    other = Replicas((8, 9))
    other.restore(state)
    for one, two in zip(first, (other.ahead(_twice, (5,))[0], other.orders(6)), strict=True):
        torch.testing.assert_close(one, two, atol=0, rtol=0)


def test_weighted_orders_follow_the_weights():
    drawn = Replicas((0,)).orders(4000, np.repeat([1.0, 3.0], 2000))
    assert (drawn >= 2000).float().mean().item() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_linear_layer_is_pytorchs_for_each_replica(rows):
    layer = Linear(Replicas((0, 1, 2)), 6, 4)
    x = torch.randn(3, rows, 6)
    for number in range(3):
        expected = torch.nn.functional.linear(x[number], layer.weight[number], layer.bias[number, 0])
        torch.testing.assert_close(layer(x)[number], expected)


def test_maps_are_layers_of_their_own():
    layer = Linear(Replicas((0, 1)), 6, 4, maps=(2,))
    x = torch.randn(2, 2, 5, 6)
    for number in range(2):
        for place in range(2):
            expected = x[number, place] @ layer.weight[number, place].T + layer.bias[number, place]
            torch.testing.assert_close(layer(x)[number, place], expected)


@given(st.integers(1, 40), st.integers(1, 3), st.floats(0, 0.1), st.sampled_from([(5,), (4, 7)]))
def test_blocks_and_factors_are_plain_gradient_descent(steps, rows, weight_decay, sizes):
    """A small network, stepped by our SGD with its inputs known ahead, against torch.optim.SGD on full gradients."""
    replicas = Replicas((0, 1))
    fast = torch.nn.ModuleDict(
        {"first": InputLinear(replicas, sizes, 6), "second": Linear(replicas, 6, 6), "norm": LayerNorm(replicas, 6)}
    ).double()
    plain = copy.deepcopy(fast)
    ours = SGD(fast, lr=0.05, weight_decay=weight_decay)
    theirs = torch.optim.SGD(plain.parameters(), lr=0.05, weight_decay=weight_decay)
    inputs = [torch.randn(2, steps, rows, size, dtype=torch.float64) for size in sizes]

    def loss(network, step):
        hidden = network["first"]([x[:, step] for x in inputs]).flatten(1, 2).tanh()
        return network["norm"](network["second"](hidden).tanh()).square().sum()

    for start in range(0, steps, 16):
        fast["first"].expect([x[:, start : start + 16] for x in inputs])
        for step in range(start, min(start + 16, steps)):
            ours.step(loss(fast, step))
            theirs.zero_grad()
            loss(plain, step).backward()
            theirs.step()
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(fast.state_dict()[name], weight, atol=1e-9, rtol=1e-9, msg=name)


def test_a_second_use_of_a_layer_in_a_step_is_refused_not_wrong():
    layer = Linear(Replicas((0,)), 3, 3)
    ours = SGD(layer, lr=0.1, weight_decay=0.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        ours.step(layer(layer(torch.randn(1, 1, 3)).tanh()).sum())


def test_layers_that_are_not_told_ahead_step_all_the_same():
    layer = InputLinear(Replicas((0,)), (5,), 3)
    before, x = layer.weights[0].detach().clone(), torch.randn(1, 1, 5)
    SGD(layer, lr=0.1, weight_decay=0.5).step(layer([x]).sum())
    torch.testing.assert_close(layer.weights[0].detach(), 0.95 * before - 0.1 * x.expand_as(before))


def test_dropout_keeps_the_mean_and_alpha_dropout_the_variance_too():
    x = torch.randn(2, 50, 1000)
    for layer in (Dropout(Replicas((0, 1)), 0.3), AlphaDropout(Replicas((0, 1)), 0.3)):
        out = layer.train()(x + 1 if type(layer) is Dropout else x)
        assert out.mean().item() == pytest.approx(1.0 if type(layer) is Dropout else 0.0, abs=0.02)
        assert not torch.equal(out[0] != 0, out[1] != 0) or type(layer) is AlphaDropout
        torch.testing.assert_close(layer.eval()(x), x)
    assert out.var().item() == pytest.approx(1, abs=0.03)


def test_alpha_dropout_moves_what_it_drops_to_one_value():
    out = AlphaDropout(Replicas((0,)), 0.25).train()(torch.randn(1, 4000))
    value = out.mode().values
    assert (out == value[:, None]).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert value.item() < -1


@pytest.mark.parametrize("layer", [Dropout, AlphaDropout])
def test_what_a_bag_drops_is_drawn_when_wanted(layer):
    """Of a bag of 60,000 patches, the numbers of sixteen steps would take gigabytes."""
    replicas, alone = Replicas((3, 4)), Replicas((3, 4))
    first, second = layer(replicas, 0.25)(torch.ones(2, 700, 100))
    assert not first.equal(second)
    alone.uniform(700, 100)
    torch.testing.assert_close(replicas.uniform(5), alone.uniform(5))


@pytest.mark.parametrize("rows", [1, 3])
def test_each_input_of_many_has_a_map_of_its_own(rows):
    """Against a layer of PyTorch for each input, forward and backward."""
    sizes = (3, 1, 5, 2)
    layer = InputLinear(Replicas((0, 1)), sizes, 4).double()
    inputs = [torch.randn(2, rows, size, dtype=torch.float64, requires_grad=True) for size in sizes]
    out, factors = layer(inputs), torch.randn(2, 4, rows, 4, dtype=torch.float64)
    (out * factors).sum().backward()
    grown = layer.weight.grad.split(sizes, dim=1)
    for number, (x, weight) in enumerate(zip(inputs, layer.weights, strict=True)):
        own_x, own_weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
        expected = torch.einsum("sti,soi->sto", own_x, own_weight) + layer.bias[:, number]
        torch.testing.assert_close(out[:, number], expected)
        (expected * factors[:, number]).sum().backward()
        torch.testing.assert_close(x.grad, own_x.grad)
        torch.testing.assert_close(grown[number].mT, own_weight.grad)


class Calls(TorchDispatchMode):
    """Counts the operations of torch."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


def test_a_step_of_many_inputs_calls_as_many_operations_as_of_few():
    counts = []
    for number in (6, 331):
        layer, inputs = InputLinear(Replicas((0, 1)), [2] * number, 4), [torch.randn(2, 1, 2)] * number
        ours = SGD(layer, lr=0.1, weight_decay=0.1)
        ours.step(layer(inputs).sum())
        with Calls() as calls:
            ours.step(layer(inputs).sum())
        counts.append(calls.count)
    assert counts[0] == counts[1]


def test_stored_networks_name_the_weights_of_each_input():
    """Bundles and models that earlier versions wrote have these names and shapes."""
    layer, other = InputLinear(Replicas((0, 1)), (3, 5), 4), InputLinear(Replicas((2, 3)), (3, 5), 4)
    state = torch.nn.ModuleDict({"first": layer}).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert shapes == {"first.bias": (2, 2, 1, 4), "first.weights.0": (2, 4, 3), "first.weights.1": (2, 4, 5)}
    assert not any(value.requires_grad for value in state.values())
    torch.nn.ModuleDict({"first": other}).load_state_dict(state)
    torch.testing.assert_close(other.weight, layer.weight, atol=0, rtol=0)
    del state["first.weights.1"]
    with pytest.raises(RuntimeError, match="Missing key"):
        torch.nn.ModuleDict({"first": other}).load_state_dict(state)


def test_an_optimiser_that_never_settles_an_expecting_layer_is_refused():
    layer, inputs = InputLinear(Replicas((0,)), [3], 2), torch.randn(1, 4, 1, 3)
    layer.expect([inputs])
    layer([inputs[:, 0]]).sum().backward()
    with pytest.raises(RuntimeError, match="not settled"):
        layer([inputs[:, 1]])
