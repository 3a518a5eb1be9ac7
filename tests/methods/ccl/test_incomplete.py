"""CCL on patients who lack a modality: which parts of its theory still hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from ccl.data.batch import Batch, Outcomes, Present
from ccl.methods.ccl.network import Model

Build = Callable[..., Model]
Patients = Callable[..., Batch]
OUTCOMES = Outcomes(torch.arange(8)[None] % 4, torch.zeros(1, 8), 1 + torch.arange(8.0)[None])


def lacking(batch: Batch, *, genes: bool = True, slides: bool = True) -> Batch:
    shape = batch.genomics[0].shape[:2]
    return replace(batch, present=Present(torch.full((*shape, 2), genes), torch.full(shape, slides)))


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_a_component_that_cannot_be_told_is_not_fused(build: Build, patients: Patients, preset: str) -> None:
    model, batch = build(preset=preset).eval(), lacking(patients(2), genes=False)
    assert model.seen(batch).tolist() == [[[True, False, False, True]] * 2]
    _, components = model.encode(batch)
    logits = model(batch).logits
    for number, name in enumerate(model.components):
        changed = components.clone()
        changed[:, :, number] += torch.randn(16)
        moved = not torch.allclose(model.head(model.fusion(changed, model.seen(batch))), logits)
        assert moved == (name in ("common", "pathology-specific"))


def test_the_missing_modality_is_no_part_of_the_common_knowledge(build: Build, patients: Patients) -> None:
    """Equation (2) with F_g = 0: F_p times a gate that no gene moves."""
    model, batch = build().eval(), lacking(patients(1), genes=False)
    sources, components = model.encode(batch)
    assert not sources[:, :, 0].any()
    gate = torch.sigmoid(model.decomposition.gate_bias[:, :, 1, 0])
    torch.testing.assert_close(components[:, :, 0], gate * sources[:, :, 1])


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_only_whole_patients_enter_the_bank_and_only_slides_move_the_anchor(
    build: Build, patients: Patients, preset: str
) -> None:
    """Each replica by itself: the first has no slides, the second no genes, the third lacks nothing."""
    model = build(seeds=(0, 1, 2), preset=preset)
    model.begin(OUTCOMES)
    batch = patients(1, replicas=3, outcomes=True)
    genes, slides = torch.tensor([True, False, True])[:, None], torch.tensor([False, True, True])[:, None]
    batch = replace(batch, present=Present(genes[..., None].expand(-1, -1, 2), slides))
    anchor = model.pathology.anchor.clone()
    aux = model.train()(batch).aux
    assert model.bank.counts.sum(dim=1).tolist() == [0, 0, 1]
    assert (model.bank.groups >= 0).sum(dim=1).tolist() == [0, 0, 1]
    moved = (model.pathology.anchor != anchor).flatten(1).any(dim=1)
    assert moved.tolist() == [False, True, True]
    assert aux["patient"][:2].tolist() == [0, 0]


@pytest.mark.parametrize("terms", ["GPCS"])
def test_the_knowledge_loss_has_only_the_terms_of_what_is_there(build: Build, patients: Patients, terms: str) -> None:
    model = build(knowledge_terms=terms)
    batch = lacking(patients(1), slides=False)
    sources, components = model.eval().encode(batch)
    loss = model.knowledge_loss(components, sources, model.seen(batch), model.there(batch))
    cosine = torch.cosine_similarity
    common, specific, of_genes = components[:, 0, 0], components[:, 0, 2], sources[:, 0, 0]
    torch.testing.assert_close(loss, -cosine(common, of_genes) - cosine(specific, of_genes))


def test_the_first_patient_who_has_slides_starts_the_anchor(build: Build, patients: Patients) -> None:
    model = build(anchor_init="first_patient", anchor_update=0.0).train()
    model.begin(OUTCOMES)
    first, second = (patients(1, outcomes=True, seed=seed) for seed in (0, 1))
    model(lacking(first, slides=False))
    model(lacking(second))
    assert torch.equal(model.pathology.anchor, second.centres[:, 0])
