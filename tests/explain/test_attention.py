"""What CCL attends to, and which way a risk takes through its components."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ccl.data.batch import Batch
from ccl.methods.ccl.explanation import contributions
from ccl.methods.interface import risk
from tests.explain.networks import batch, network

OPTIONS: list[dict[str, Any]] = [
    {},
    {"preset": "released"},
    {"values": "projected", "common_encoders": 2, "align": False},
    {"projection": "mlp", "free_encoders": 1, "gate": "linear"},
    {"decompose": False, "guide": False},
]


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
        sums = [side[name].sum(dim=2) for side in (families, clusters) if name in side]
        torch.testing.assert_close(sum(sums), components[:, :, number], rtol=1e-4, atol=2e-5)


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
    ways_down = [gradients(risk(way), patients) for way in ways.values()]
    for number, whole in enumerate(gradients(risk(logits), patients)):
        torch.testing.assert_close(sum(part[number] for part in ways_down), whole, rtol=1e-4, atol=1e-6)


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
