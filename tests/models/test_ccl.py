"""The CCL network: its parts against stored numbers, and how its state behaves."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccl.errors import ModelError
from ccl.models import hyper
from ccl.models.alignment import align
from ccl.models.ccl import CoAttention, Model
from ccl.models.interface import Batch, Outcomes, Shape

GOLDEN = Path(__file__).parents[1] / "golden"
SHAPE = Shape((7, 5, 11), intervals=4, clusters=3, features=10)


def patients(count, *, outcomes=False, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return Batch(
        tuple(torch.randn(count, size, generator=rng) for size in SHAPE.families),
        torch.randn(count, SHAPE.clusters, SHAPE.features, generator=rng),
        Outcomes(torch.arange(count) % 4, torch.arange(count) % 2 * 1.0) if outcomes else None,
    )


def build(**overrides):
    torch.manual_seed(0)
    return Model(SHAPE, hyper("ccl", {"width": 16, **overrides}))


def test_golden_co_attention():
    case = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN / "co_attention_released.npz").items()}
    encoder = CoAttention(16).double()
    for side in "gp":
        linear, norm, _ = getattr(encoder, f"encode_{side}")
        linear.load_state_dict({"weight": case[f"proj_{side}_weight"], "bias": case[f"proj_{side}_bias"]})
        norm.load_state_dict({"weight": case[f"norm_{side}_weight"], "bias": case[f"norm_{side}_bias"]})
        gate = getattr(encoder, f"gate_{side}")
        gate.load_state_dict({"weight": case[f"gate_{side}_weight"], "bias": case[f"gate_{side}_bias"]})
    output = encoder(case["first"][0], case["second"][0])
    torch.testing.assert_close(output, case["output"][0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("number", range(3))
def test_golden_alignment(number):
    case = {
        key: torch.from_numpy(np.asarray(value)) for key, value in np.load(GOLDEN / f"alignment_{number}.npz").items()
    }
    aligned = align(case["centers"][None], case["anchor"])[0]
    torch.testing.assert_close(aligned, case["aligned"], atol=0, rtol=0)
    assert (aligned - case["anchor"]).abs().sum().item() == pytest.approx(case["cost"].item(), rel=1e-6)
    torch.testing.assert_close(case["anchor"].clone().lerp_(aligned, 0.1), case["anchor_after"])


@settings(max_examples=30)
@given(st.permutations(range(5)), st.integers(0, 1000))
def test_alignment_forgets_the_order_of_the_centres_and_is_the_best_one(order, seed):
    rng = torch.Generator().manual_seed(seed)
    centres, anchor = torch.randn(5, 4, generator=rng), torch.randn(5, 4, generator=rng)
    aligned = align(centres[list(order)][None], anchor)[0]
    best = min((centres[list(other)] - anchor).abs().sum().item() for other in permutations(range(5)))
    assert (aligned - anchor).abs().sum().item() == pytest.approx(best, rel=1e-5)
    torch.testing.assert_close(aligned, align(centres[None], anchor)[0])


def test_each_patient_of_a_batch_is_predicted_as_if_alone():
    model, batch = build().eval(), patients(4)
    together = model(batch).logits
    for i in range(4):
        one = Batch(tuple(family[i : i + 1] for family in batch.genomics), batch.centres[i : i + 1], None)
        torch.testing.assert_close(model(one).logits[0], together[i])


def test_the_order_of_a_patients_clusters_does_not_matter():
    model, batch = build().eval(), patients(4)
    shuffled = Batch(batch.genomics, batch.centres[:, [2, 0, 1]], None)
    torch.testing.assert_close(model(shuffled).logits, model(batch).logits)


def test_training_moves_the_anchor_towards_the_aligned_centres_and_fills_the_bank():
    model, batch = build(anchor_update=0.25).train(), patients(1, outcomes=True)
    before = model.anchor.clone()
    aligned = align(batch.centres, before)[0]
    output = model(batch)
    torch.testing.assert_close(model.anchor, 0.75 * before + 0.25 * aligned)
    assert model.bank.counts.tolist() == [1, 0, 0, 0]
    assert set(output.aux) == {"knowledge", "patient"}


def test_prediction_changes_no_state_and_has_no_losses():
    model = build().eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    output = model(patients(4))
    assert output.aux == {}
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], atol=0, rtol=0)


def test_the_cohort_weight_scales_the_cohort_losses():
    losses = {}
    for weight in (1.0, 3.0):
        model, batch = build(cohort_weight=weight).train(), patients(1, outcomes=True)
        torch.manual_seed(1)
        losses[weight] = model(batch).aux["knowledge"].item()
    assert losses[3.0] == pytest.approx(3 * losses[1.0])


def test_the_anchor_and_the_bank_are_stored_with_the_weights():
    assert {"anchor", "bank.rows", "bank.counts"} <= set(build().state_dict())


@pytest.mark.parametrize("batch", [patients(2, outcomes=True), Batch(patients(1).genomics, None, None)])
def test_what_ccl_cannot_train_on_is_refused(batch):
    with pytest.raises(ModelError, match="one patient at a time"):
        build().train()(batch)
