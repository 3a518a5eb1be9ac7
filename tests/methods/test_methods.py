"""What holds of every method, whatever it does inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods import METHODS, hyper, load
from ccl.methods.declaration import Recipe
from ccl.methods.interface import ClosedForm, Output, SurvivalModel, risk
from ccl.nn.likelihood import survival_nll
from ccl.nn.replicas import Replicas
from ccl.train.optimisers import make_optimiser

SMALL = Shape((7, 5, 11), intervals=4, clusters=3, features=10, vectors=10)

BLCA = Shape((94, 334, 521, 468, 1496, 479), intervals=4, clusters=6, features=1024, vectors=768)
"""Sizes of TCGA-BLCA with ResNet-50 features, and vectors of TITAN."""

IDLE = {"clam-sb": ("instance",), "clam-mb": ("instance",)}
"""Parts that learn nothing at the defaults: CLAM's instance classifiers, whose loss is off for survival."""

ORDERED = ("transmil", "dualtrans", "cmta", "dtfd-mil", "motcat")
"""Methods to which the order of patches matters: by position modules, or by which patches are dealt together."""

NETWORKS = [name for name in METHODS if not issubclass(load(name).Model, ClosedForm)]
BAGS = [name for name in NETWORKS if "bags" in METHODS[name].reads]


def shape_of(name: str, shape: Shape) -> Shape:
    """Return the sizes of only those inputs that a method reads."""
    reads = METHODS[name].reads
    return Shape(
        shape.families if "genomics" in reads else (),
        shape.intervals,
        shape.clusters if "clusters" in reads else 0,
        shape.features if {"bags", "clusters"} & set(reads) else 0,
        vectors=shape.vectors if "vectors" in reads else 0,
    )


def build(name: str, seed: int = 0, **overrides: object) -> SurvivalModel:
    """Return a small network of a method, without dropout unless asked for."""
    known = {item.name for item in fields(METHODS[name].hyper)}
    values = {"width": 16, "hidden": 16, "dropout": 0.0, **overrides}
    chosen = hyper(name, {key: value for key, value in values.items() if key in known})
    return load(name).Model(shape_of(name, SMALL), chosen, Replicas((seed,)))


def patient(name: str, number: int, patches: int = 20) -> Batch:
    """Return one patient of its own kind, with an outcome."""
    rng = torch.Generator().manual_seed(number)
    reads = METHODS[name].reads
    outcomes = Outcomes(
        torch.tensor([[number % 4]]), torch.tensor([[number % 3 // 2 * 1.0]]), torch.tensor([[3.0 + number]])
    )
    genomics = tuple(torch.randn(1, 1, size, generator=rng) for size in SMALL.families)
    centres, kind = torch.randn(1, 1, 3, 10, generator=rng), torch.randn(10, generator=rng)
    bag = kind + torch.randn(1, patches, 10, generator=rng)
    return Batch(
        genomics if "genomics" in reads else (),
        centres if "clusters" in reads else None,
        outcomes,
        bag if "bags" in reads else None,
        vectors=kind[None, None] if "vectors" in reads else None,
    )


def begin(model: SurvivalModel, batches: list[Batch]) -> None:
    """Tell a model of its training patients."""
    outcomes = [batch.outcomes for batch in batches]
    model.begin(Outcomes(*(torch.cat([getattr(one, f.name) for one in outcomes], dim=1) for f in fields(Outcomes))))


def train(model: SurvivalModel, batches: list[Batch], *, epochs: int, recipe: Recipe) -> list[float]:
    """Train on `batches`; return the mean likelihood loss of each epoch."""
    begin(model, batches)
    optimiser = make_optimiser(model.train(), recipe, steps=len(batches), bags=True)
    means = []
    for _ in range(epochs):
        losses = []
        for number, batch in enumerate(batches, start=1):
            output = model(batch)
            nll = survival_nll(output.logits, batch.outcomes)
            optimiser.step((nll + sum(output.aux.values())).sum(), last=number == len(batches))
            losses.append(nll.item())
        means.append(sum(losses) / len(losses))
    return means


@torch.no_grad()
def logits(model: SurvivalModel, batch: Batch) -> Tensor:
    """Return what a model predicts."""
    output: Output = model.eval()(replace(batch, outcomes=None))
    assert not output.aux, "losses are of training alone"
    return output.logits


@pytest.mark.parametrize("name", METHODS)
def test_the_parameters_are_the_declared_ones(name: str) -> None:
    """A declaration has the count of the method's own code, or of the formulas of its paper."""
    model = load(name).Model(shape_of(name, BLCA), hyper(name, {}), Replicas((0,)))
    assert sum(weight.numel() for weight in model.parameters()) == METHODS[name].parameters


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_change_every_weight_that_learns(name: str) -> None:
    model = build(name)
    start = {key: value.clone() for key, value in model.named_parameters()}
    batches = [patient(name, number) for number in range(12)]
    train(model, batches, epochs=1, recipe=Recipe("adam", lr=0.01, weight_decay=0.0, epochs=1))
    still = {key for key, value in model.named_parameters() if torch.equal(value, start[key])}
    idle = {key for key in start if key.startswith(IDLE.get(name, ("\0",)))}
    # A constant added to all scores is nothing to a softmax.
    assert {key for key in still if not key.endswith("attention.score.bias")} == idle


@pytest.mark.parametrize("name", NETWORKS)
def test_eight_patients_are_learnt_by_heart(name: str) -> None:
    batches = [patient(name, number) for number in range(8)]
    model = build(name)
    losses = train(model, batches, epochs=30, recipe=Recipe("adam", lr=6e-3, weight_decay=0.0, epochs=30))
    assert losses[-1] < 0.3 * losses[0]
    dead = [number for number, batch in enumerate(batches) if batch.outcomes.censorship == 0]
    risks = torch.tensor([risk(logits(model, batches[number])).item() for number in dead])
    first, last = (risks[[number % 4 == interval for number in dead]] for interval in (0, 3))
    assert first.min() > last.max()


@pytest.mark.parametrize("patches", [1, 2, 5000])
@pytest.mark.parametrize("name", BAGS)
def test_a_bag_may_have_any_size(name: str, patches: int) -> None:
    model, batch = build(name), patient(name, 0, patches)
    begin(model, [batch])
    output = model.train()(batch)
    (survival_nll(output.logits, batch.outcomes) + sum(output.aux.values())).sum().backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert logits(model, batch).shape == (1, 1, 4)
    assert torch.isfinite(logits(model, batch)).all()


@pytest.mark.parametrize("name", BAGS)
def test_the_order_of_patches_matters_only_where_it_should(name: str) -> None:
    model = build(name)
    # A few steps, so that no module stands at its neutral first weights.
    batches = [patient(name, number) for number in range(8)]
    train(model, batches, epochs=3, recipe=Recipe("adam", lr=3e-3, weight_decay=0.0, epochs=3))
    # Far more patches than a pseudo-bag or micro-batch holds; in 64 bits, as like micro-batches agree to four digits.
    model, batch = model.double(), patient(name, 1, patches=700)
    genomics, bag = tuple(values.double() for values in batch.genomics), batch.bag.double()
    order = torch.randperm(700, generator=torch.Generator().manual_seed(0))
    first, second = (logits(model, Batch(genomics, None, None, own)) for own in (bag, bag[:, order]))
    same = torch.allclose(first, second, rtol=1e-7, atol=1e-9)
    assert same == (name not in ORDERED)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_seed_decides_everything(name: str) -> None:
    def trained(seed: int) -> Tensor:
        model = build(name, seed, dropout=0.25)
        batches = [patient(name, number) for number in range(4)]
        train(model, batches, epochs=2, recipe=Recipe("adam", lr=1e-2, weight_decay=0.0, epochs=2))
        return torch.cat([logits(model, batch) for batch in batches])

    first, again, other = trained(0), trained(0), trained(1)
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_in_evaluation_is_a_function_of_its_input(name: str) -> None:
    model, batch = build(name, dropout=0.5), patient(name, 0, patches=700)
    assert torch.equal(logits(model, batch), logits(model, batch))


@pytest.mark.parametrize("name", [name for name in BAGS if "genomics" in METHODS[name].reads])
@pytest.mark.parametrize("part", ["genomics", "bag"])
def test_a_multimodal_method_looks_at_both(name: str, part: str) -> None:
    model, here, there = build(name), patient(name, 0), patient(name, 1)
    if part == "bag":
        other: Callable[[], Batch] = lambda: Batch(here.genomics, None, None, there.bag)  # noqa: E731
    else:
        other = lambda: Batch(there.genomics, None, None, here.bag)  # noqa: E731
    assert not torch.allclose(logits(model, here), logits(model, other()))
