"""What methods attend to, and which way a risk takes through CCL's components."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ccl.errors import ModelError
from ccl.models import hyper, load
from ccl.models.explanation import contributions
from ccl.models.interface import Batch, Shape, risk
from ccl.models.replicas import Replicas

FAMILIES = (7, 5, 11)

OPTIONS: list[dict[str, Any]] = [
    {},
    {"preset": "released"},
    {"values": "projected", "common_encoders": 2, "align": False},
    {"projection": "mlp", "free_encoders": 1, "gate": "linear"},
    {"decompose": False, "guide": False},
]


def network(method: str, **options: Any) -> Any:
    """A network with two replicas, its biases not what they were born as."""
    reads_bags = method != "ccl"
    shape = Shape(FAMILIES, 4, 0 if reads_bags else 6, 10)
    model = load(method).Model(shape, hyper(method, {"width": 16, **options}), Replicas((0, 1))).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    return model


def batch(patients: int = 2) -> Batch:
    draw = torch.Generator().manual_seed(1)
    genes = tuple(torch.randn(1, patients, size, generator=draw) for size in FAMILIES)
    return Batch(genes, torch.randn(1, patients, 6, 10, generator=draw), None)


def bag(patches: int = 50) -> Batch:
    return Batch(batch(1).genomics, None, None, torch.randn(1, patches, 10, generator=torch.Generator().manual_seed(2)))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@torch.no_grad()
def test_contributions_are_all_of_a_component_but_its_biases(options: dict[str, Any]) -> None:
    model, patients = network("ccl", **options), batch()
    for module in (model.genomics.aggregate, model.pathology.aggregate):
        module.bias.zero_()
    if model.hyper.decompose:
        model.decomposition.encode.bias.zero_()
        model.decomposition.norm_bias.zero_()
    families, clusters = contributions(model, patients)
    _, components = model.encode(patients)
    for number, name in enumerate(model.components):
        parts = [side[name].sum(dim=2) for side in (families, clusters) if name in side]
        torch.testing.assert_close(sum(parts), components[:, :, number], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@torch.no_grad()
def test_attention_of_ccl_sums_to_one_and_follows_the_order_of_the_centres(options: dict[str, Any]) -> None:
    model, patients = network("ccl", **options), batch()
    assert patients.centres is not None
    attention = model.attends_to(patients)
    assert not attention.patches
    for shares in (*attention.clusters.values(), *attention.families.values()):
        assert (shares >= 0).all()
        torch.testing.assert_close(shares.sum(dim=-1), torch.ones(2, 2))
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved = model.attends_to(Batch(patients.genomics, patients.centres[:, :, order], None))
    for name, shares in attention.clusters.items():
        expected = shares[..., order] if model.hyper.align else shares
        same = torch.allclose(moved.clusters[name], expected, atol=1e-5)
        assert same == model.hyper.align, name


@torch.no_grad()
def test_each_component_attends_to_what_it_sees() -> None:
    attention = network("ccl").attends_to(batch())
    assert set(attention.clusters) == {"common", "synergistic", "pathology-specific"}
    assert set(attention.families) == {"common", "synergistic", "genomic-specific"}


@torch.no_grad()
def test_a_cluster_whose_weight_is_zero_gets_no_attention() -> None:
    model, patients = network("ccl", align=False), batch()
    model.pathology.aggregate.weight[:, :, 2] = 0
    for shares in model.attends_to(patients).clusters.values():
        assert (shares[..., 2] == 0).all()
        assert (shares.sum(dim=-1) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("method", ["attmil", "clam-sb", "clam-mb", "mcat", "gpdbn", "hfbsurv", "porpoise"])
@torch.no_grad()
def test_attention_over_patches_sums_to_one_and_follows_the_patches(method: str) -> None:
    model, patient = network(method), bag()
    assert patient.bag is not None
    attention = model.attends_to(patient)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    moved = model.attends_to(Batch(patient.genomics, None, None, patient.bag[:, order]))
    assert attention.patches
    for name, weights in attention.patches.items():
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2))
        torch.testing.assert_close(moved.patches[name], weights[:, order])


@torch.no_grad()
def test_attention_of_attmil_is_what_its_prediction_was_made_with() -> None:
    model, patient = network("attmil"), bag()
    weights = model.attends_to(patient).patches["attention"]
    mean = weights[:, None] @ model.patch(patient.bag.expand(2, -1, -1))
    torch.testing.assert_close(model.head(model.pooled(mean)), model(patient).logits)


def test_a_method_without_attention_says_so() -> None:
    with pytest.raises(ModelError, match="no attention to show"):
        network("meanmil").attends_to(bag())


def gradients(score: Tensor, patients: Batch) -> list[Tensor]:
    return list(torch.autograd.grad(score.sum(), patients.genomics, retain_graph=True))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_through_the_components_add_up(options: dict[str, Any]) -> None:
    model, patients = network("ccl", **options), batch(1)
    for values in patients.genomics:
        values.requires_grad_()
    logits = model(patients).logits
    ways = model.through(patients)
    assert tuple(ways) == model.components
    for way in ways.values():
        torch.testing.assert_close(way, logits)
    parts = [gradients(risk(way), patients) for way in ways.values()]
    for number, whole in enumerate(gradients(risk(logits), patients)):
        torch.testing.assert_close(sum(part[number] for part in parts), whole, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_the_reference_is_the_anchor_in_the_order_of_the_patient() -> None:
    model, patients = network("ccl"), batch(1)
    reference = model.reference(patients)
    assert reference.centres is not None
    assert all((values == 0).all() for values in reference.genomics)
    for replica in range(2):
        rows = {tuple(row) for row in model.pathology.anchor[replica].tolist()}
        assert {tuple(row) for row in reference.centres[replica, 0].tolist()} == rows
    # Halfway to the patient every centre still belongs to the same place.
    halfway = (reference.centres + patients.centres) / 2
    assert torch.equal(model.pathology.order(halfway), model.pathology.order(reference.centres))
    torch.testing.assert_close(network("ccl", align=False).reference(patients).centres, patients.centres)
