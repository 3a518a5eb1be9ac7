"""The likelihood against the stored numbers of the published code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ccl.data.batch import Outcomes
from ccl.methods.interface import risk, survival
from ccl.nn.likelihood import survival_nll


@pytest.fixture
def golden():
    case = np.load(Path(__file__).parents[1] / "golden" / "nll.npz")
    return {key: torch.from_numpy(np.asarray(value)) for key, value in case.items()}


def outcomes(golden, rows=slice(None)):
    labels, censorship = golden["label"][None, rows], golden["censorship"][None, rows]
    return Outcomes(labels, censorship, torch.zeros_like(censorship))


def test_golden_values(golden):
    loss = survival_nll(golden["logits"][None], outcomes(golden))
    torch.testing.assert_close(loss[0], golden["mean_alpha0.0"], atol=1e-9, rtol=0)
    alone = [survival_nll(golden["logits"][None, i : i + 1], outcomes(golden, slice(i, i + 1)))[0] for i in range(64)]
    torch.testing.assert_close(torch.stack(alone), golden["per_sample_alpha0.0"], atol=1e-9, rtol=0)
    torch.testing.assert_close(survival(golden["logits"]), golden["S"], atol=1e-12, rtol=0)
    torch.testing.assert_close(risk(golden["logits"]), golden["risk"], atol=1e-12, rtol=0)


def test_golden_gradient(golden):
    # The first six rows are saturated, where the clamp has no gradient.
    logits = golden["logits"][None, 6:].clone().requires_grad_()
    survival_nll(logits, outcomes(golden, slice(6, None))).sum().backward()
    torch.testing.assert_close(logits.grad[0], golden["grad_logits_rows6on_alpha0"], atol=1e-9, rtol=0)


def test_each_replica_has_a_loss_of_its_own(golden):
    half = Outcomes(*(golden[key].view(2, 32) for key in ("label", "censorship", "censorship")))
    losses = survival_nll(golden["logits"].view(2, 32, 4), half)
    assert losses.shape == (2,)
    torch.testing.assert_close(losses.mean(), golden["mean_alpha0.0"], atol=1e-9, rtol=0)


def test_saturated_single_precision_stays_finite():
    logits = torch.tensor([[[200.0, -200.0, 200.0], [-200.0, -200.0, -200.0]]], requires_grad=True)
    loss = survival_nll(logits, Outcomes(torch.tensor([[2, 2]]), torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2)))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()
