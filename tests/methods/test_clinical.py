"""Covariates as an input of networks that do not read them themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods import METHODS, hyper
from ccl.methods.build import build
from ccl.methods.clinical import COVARIATES, SHARE, WithClinical
from ccl.methods.interface import ClosedForm, risk
from ccl.nn.likelihood import survival_nll
from ccl.nn.replicas import Replicas
from tests.methods.test_methods import NETWORKS, SMALL, patient, shape_of

COVARIATE_COUNT = 3


def with_clinical(name: str, seeds: tuple[int, ...] = (0,)) -> WithClinical:
    known = {"width": 16, "hidden": 16, "dropout": 0.0}
    chosen = hyper(name, {key: value for key, value in known.items() if hasattr(METHODS[name].hyper(), key)})
    model = build(name, replace(shape_of(name, SMALL), clinical=COVARIATE_COUNT), chosen, Replicas(seeds))
    assert isinstance(model, WithClinical)
    return model


def patients(name: str, count: int = 12) -> tuple[list[Batch], torch.Tensor]:
    """Patients whose first covariate tells when they die."""
    covariates = torch.randn(count, COVARIATE_COUNT, generator=torch.Generator().manual_seed(3))
    rank = covariates[:, 0].argsort(descending=True).argsort()
    batches = []
    for number in range(count):
        months = torch.tensor([[5.0 + 3 * rank[number]]])
        outcomes = Outcomes((months // 12).long().clamp(max=3), torch.zeros(1, 1), months)
        batches.append(
            replace(patient(name, number), outcomes=outcomes, clinical=covariates[None, number : number + 1])
        )
    return batches, covariates


def started(name: str, seeds: tuple[int, ...] = (0,)) -> tuple[WithClinical, list[Batch]]:
    model = with_clinical(name, seeds)
    batches, covariates = patients(name)
    outcomes = [batch.outcomes for batch in batches]
    columns = ("labels", "censorship", "months")
    together = Outcomes(*(torch.cat([getattr(one, column) for one in outcomes], dim=1) for column in columns))
    model.begin(together, covariates)
    return model, batches


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_knows_nothing_predicts_as_a_cox_model_of_the_covariates(name: str) -> None:
    model, batches = started(name)
    model.eval()
    for weight in model.network.parameters():
        torch.nn.init.zeros_(weight)
    for batch in batches[:3]:
        alone = Batch((), None, None, clinical=batch.clinical)
        nothing = model.network(replace(batch, outcomes=None)).logits
        whole = model(replace(batch, outcomes=None)).logits
        torch.testing.assert_close(whole, model.cox(alone).logits + SHARE * nothing)
        torch.testing.assert_close(nothing, torch.zeros_like(nothing))


@pytest.mark.parametrize("name", NETWORKS)
def test_covariates_and_network_are_trained_together(name: str) -> None:
    model, batches = started(name)
    before = {key: value.clone() for key, value in model.named_parameters()}
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in batches:
        output = model.train()(batch)
        (survival_nll(output.logits, batch.outcomes) + sum(output.aux.values())).sum().backward()
    optimiser.step()
    changed = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
    assert "cox.weight" in changed
    assert any(key.startswith("network.") for key in changed)


def test_the_covariate_that_tells_death_raises_the_risk() -> None:
    model, batches = started("snn")
    moved = [replace(batches[0], outcomes=None, clinical=torch.tensor([[[x, 0.0, 0.0]]])) for x in (-2.0, 2.0)]
    low, high = (risk(model.eval()(batch).logits).item() for batch in moved)
    assert high > low + 0.1


@pytest.mark.parametrize("name", ["ccl", "snn", "mcat"])
def test_gradients_through_the_components_add_up(name: str) -> None:
    """Those through the network's components reach no covariate, and those through the covariates nothing else."""
    model, batches = started(name)
    batch = replace(batches[0], outcomes=None)
    genes = tuple(values.clone().requires_grad_(True) for values in batch.genomics)
    clinical = batch.clinical.clone().requires_grad_(True)
    moved = replace(batch, genomics=genes, clinical=clinical)
    inputs = (*genes, clinical)
    whole = torch.autograd.grad(model.eval()(moved).logits.sum(), inputs)
    parts = {key: torch.autograd.grad(v.sum(), inputs, retain_graph=True) for key, v in model.through(moved).items()}
    for number, expected in enumerate(whole):
        torch.testing.assert_close(sum(part[number] for part in parts.values()), expected, atol=1e-5, rtol=1e-4)
    assert all(not part[-1].any() for key, part in parts.items() if key != COVARIATES)
    assert all(not values.any() for values in parts[COVARIATES][:-1])
    for value in model.through(moved).values():
        torch.testing.assert_close(value, model(moved).logits)


def test_cox_models_read_covariates_themselves() -> None:
    shape = Shape((4,), 4, 0, 0, clinical=2)
    assert isinstance(build("cox-genomics", shape, hyper("cox-genomics", {}), Replicas((0,))), ClosedForm)
