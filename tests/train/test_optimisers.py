"""Optimisers against torch's own, written out step by step, and replicas that do not feel each other."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ccl.config.sections import Track
from ccl.methods import METHODS
from ccl.methods.declaration import Recipe
from ccl.nn.families import FamilyTokens
from ccl.nn.replicas import Linear, Replicas
from ccl.train import VERSION, version
from ccl.train.optimisers import make_optimiser
from ccl.train.sgd import SGD

PATIENTS = 7


def network(seeds=(0,)):
    replicas = Replicas(seeds)
    return nn.Sequential(Linear(replicas, 5, 4), nn.Tanh(), Linear(replicas, 4, 1))


def losses(model, scale=1.0):
    """One loss per patient; the inputs are the same for every replica."""
    rng = torch.Generator().manual_seed(1)
    for _ in range(PATIENTS):
        x, y = torch.randn(1, 1, 5, generator=rng), torch.randn(1, generator=rng)
        yield (scale * (model(x.expand(model[0].weight.shape[0], -1, -1)) - y).square()).sum()


def run(model, recipe, *, epochs=1, optimiser=None, scale=1.0):
    optimiser = optimiser or make_optimiser(model, recipe, steps=PATIENTS, bags=True)
    for _ in range(epochs):
        for number, loss in enumerate(losses(model, scale), start=1):
            optimiser.step(loss, last=number == PATIENTS)
    return optimiser


def same(model, other):
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("name", "make"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("radam", torch.optim.RAdam)]
)
def test_a_step_a_patient_is_torchs_own(name, make):
    model = network()
    twin = copy.deepcopy(model)
    run(model, Recipe(name, lr=0.01, weight_decay=0.1, epochs=2), epochs=2)
    theirs = make(twin.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(2):
        for loss in losses(twin):
            theirs.zero_grad()
            loss.backward()
            theirs.step()
    same(model, twin)


@pytest.mark.parametrize(
    "change",
    [{}, {"schedule": "cosine"}, {"accumulate": 3}, {"optimiser": "adam", "accumulate": 3}, {"clip": 0.1}],
    ids=str,
)
def test_weights_per_family_move_as_by_torch_without_a_new_gradient_at_each_step(monkeypatch, change):
    monkeypatch.setattr("ccl.train.optimisers.IN_CACHE", 40)  # two of three families at once
    recipe = replace(Recipe("sgd", lr=0.1, weight_decay=0.01, epochs=1), **change)
    model = FamilyTokens(Replicas((0,)), (2, 3, 1), 4, dropout=0.0, activation=F.elu)
    twin = copy.deepcopy(model)
    own = make_optimiser(model, recipe, steps=PATIENTS, bags=True)
    theirs = make_optimiser(twin, recipe, steps=PATIENTS, bags=True)
    twin.second.linear.descent = None  # autograd and torch's optimiser
    for number in range(PATIENTS):
        torch.manual_seed(number)
        genes = [torch.randn(1, 1, size) for size in (2, 3, 1)]
        for network, optimiser in ((model, own), (twin, theirs)):
            optimiser.step(network(genes).square().sum(), last=number == PATIENTS - 1)
        assert change or model.second.linear.weight.grad is None
    for mine, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_an_accumulated_step_is_of_the_mean_and_the_epochs_rest_is_one():
    model = network()
    twin = copy.deepcopy(model)
    run(model, Recipe("adam", lr=0.01, weight_decay=0.0, epochs=1, accumulate=3))
    theirs = torch.optim.Adam(twin.parameters(), lr=0.01)
    for window in ((0, 1, 2), (3, 4, 5), (6,)):
        each = [loss for number, loss in enumerate(losses(twin)) if number in window]
        theirs.zero_grad()
        torch.stack(each).mean().backward()
        theirs.step()
    same(model, twin)


def test_a_long_gradient_is_shortened_in_its_own_replica_alone():
    together, alone = network((0, 1)), network((1,))
    recipe = Recipe("sgd", lr=0.1, weight_decay=0.0, epochs=1, clip=0.5)
    run(together, recipe, scale=50.0)
    run(alone, recipe, scale=50.0)
    for both, one in zip(together.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(both[1:], one)
    before = network((1,))
    moved = torch.cat([(a - b).flatten() for a, b in zip(alone.parameters(), before.parameters(), strict=True)])
    assert moved.norm() <= PATIENTS * 0.1 * 0.5 * (1 + 1e-5)


def rates_of(recipe, *, epochs):
    """The learning rate of each step."""
    model, rates = network(), []
    optimiser = make_optimiser(model, recipe, steps=PATIENTS, bags=True)
    optimiser.optimiser.register_step_pre_hook(lambda taking, *_: rates.append(taking.param_groups[0]["lr"]))
    run(model, recipe, epochs=epochs, optimiser=optimiser)
    return rates


def test_the_learning_rate_rises_for_an_epoch_and_falls_to_zero():
    rates = rates_of(Recipe("sgd", lr=1.0, weight_decay=0.0, epochs=3, schedule="cosine"), epochs=3)
    assert rates[:PATIENTS] == pytest.approx([step / PATIENTS for step in range(1, PATIENTS + 1)])
    assert rates[PATIENTS:] == pytest.approx(
        [0.5 * (1 + math.cos(math.pi * step / (2 * PATIENTS))) for step in range(1, 2 * PATIENTS + 1)]
    )


@pytest.mark.parametrize("accumulate", [1, 3, 100])
def test_half_way_the_learning_rate_falls_to_a_fifth(accumulate):
    recipe = Recipe("adam", lr=1e-4, weight_decay=0.0, epochs=6, accumulate=accumulate, schedule="fifth")
    theirs = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(theirs, [3], gamma=0.2)
    expected = []
    for _ in range(6):
        expected += [schedule.get_last_lr()[0]] * math.ceil(PATIENTS / accumulate)
        theirs.step()
        schedule.step()
    assert rates_of(recipe, epochs=6) == pytest.approx(expected)


@pytest.mark.parametrize("accumulate", [1, 3, 100])
def test_the_learning_rate_falls_in_a_line_from_epoch_to_epoch(accumulate):
    rates = rates_of(
        Recipe("adam", lr=5.0, weight_decay=0.0, epochs=4, accumulate=accumulate, schedule="linear"), epochs=4
    )
    steps = math.ceil(PATIENTS / accumulate)
    assert rates == pytest.approx([4.0] * steps + [3.0] * steps + [2.0] * steps + [1.0] * steps)


@pytest.mark.parametrize(
    ("method", "first", "last"), [("gpdbn", 2e-4 * 150 / 151, 2e-4 / 151), ("dtfd-mil", 1e-4, 2e-5)]
)
def test_the_authors_schedules(method, first, last):
    recipe = METHODS[method].native
    rates = rates_of(replace(recipe, accumulate=100), epochs=recipe.epochs)
    assert len(rates) == recipe.epochs
    assert (rates[0], rates[-1]) == pytest.approx((first, last))
    assert sorted(rates, reverse=True) == rates


def test_only_the_native_track_of_a_method_that_has_changed_is_made_again():
    assert {version(method, "unified") - METHODS[method].version for method in METHODS} == {VERSION}
    of_authors = {method for method in METHODS if version(method, "native") != version(method, "unified")}
    assert of_authors == {"dtfd-mil", "gpdbn"}


def test_a_fix_of_one_method_makes_its_runs_alone_again(monkeypatch):
    fixed = replace(METHODS["mcat"], version=2)
    monkeypatch.setitem(METHODS, "mcat", fixed)
    assert {track: version("mcat", track) for track in get_args(Track)} == {
        "unified": VERSION + 2,
        "native": VERSION + 2,
    }
    others = {version(method, "unified") for method in METHODS if method != "mcat" and not method.startswith("cox-")}
    assert others == {VERSION}


def test_lookahead_goes_half_way_back_every_sixth_step():
    model = network()
    twin = copy.deepcopy(model)
    run(model, Recipe("lookahead-radam", lr=0.01, weight_decay=0.0, epochs=2), epochs=2)
    theirs = torch.optim.RAdam(twin.parameters(), lr=0.01)
    slow = [weight.detach().clone() for weight in twin.parameters()]
    for taken, loss_number in enumerate(range(2 * PATIENTS), start=1):
        loss = list(losses(twin))[loss_number % PATIENTS]
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        if taken % 6 == 0:
            slow = [s + 0.5 * (w.detach() - s) for s, w in zip(slow, twin.parameters(), strict=True)]
            for weight, s in zip(twin.parameters(), slow, strict=True):
                weight.data.copy_(s)
    same(model, twin)


@pytest.mark.parametrize("name", ["sgd", "adam", "radam", "lookahead-radam"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "fifth"])
def test_a_stored_state_goes_on_exactly(name, schedule):
    recipe = Recipe(name, lr=0.01, weight_decay=0.1, epochs=3, accumulate=2, schedule=schedule)
    whole, first = network((0, 1)), network((0, 1))
    run(whole, recipe, epochs=3)
    state = {key: value.clone() for key, value in run(first, recipe, epochs=2).state().items()}
    again = network((0, 1))
    again.load_state_dict(first.state_dict())
    optimiser = make_optimiser(again, recipe, steps=PATIENTS, bags=True)
    optimiser.restore(state)
    run(again, recipe, optimiser=optimiser)
    for mine, theirs in zip(again.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_plain_sgd_on_small_inputs_takes_the_fast_way():
    plain = Recipe("sgd", lr=0.1, weight_decay=0.0, epochs=1)
    assert isinstance(make_optimiser(network(), plain, steps=1, bags=False), SGD)
    model, twin = network(), network()
    run(model, plain)
    run(twin, plain, optimiser=make_optimiser(twin, plain, steps=PATIENTS, bags=False))
    same(model, twin)
