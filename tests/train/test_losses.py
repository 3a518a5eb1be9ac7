"""The likelihood against the stored numbers of the published code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ccl.models.interface import Outcomes, risk, survival
from ccl.train.losses import survival_nll


@pytest.fixture
def golden():
    case = np.load(Path(__file__).parents[1] / "golden" / "nll.npz")
    return {key: torch.from_numpy(np.asarray(value)) for key, value in case.items()}


def test_golden_values(golden):
    outcomes = Outcomes(golden["label"], golden["censorship"])
    torch.testing.assert_close(survival_nll(golden["logits"], outcomes), golden["mean_alpha0.0"], atol=1e-9, rtol=0)
    alone = [
        survival_nll(golden["logits"][i : i + 1], Outcomes(golden["label"][i : i + 1], golden["censorship"][i : i + 1]))
        for i in range(64)
    ]
    torch.testing.assert_close(torch.stack(alone), golden["per_sample_alpha0.0"], atol=1e-9, rtol=0)
    torch.testing.assert_close(survival(golden["logits"]), golden["S"], atol=1e-12, rtol=0)
    torch.testing.assert_close(risk(golden["logits"]), golden["risk"], atol=1e-12, rtol=0)


def test_golden_gradient(golden):
    # The first six rows are saturated, where the clamp has no gradient.
    logits = golden["logits"][6:].clone().requires_grad_()
    survival_nll(logits, Outcomes(golden["label"][6:], golden["censorship"][6:])).backward()
    torch.testing.assert_close(logits.grad, golden["grad_logits_rows6on_alpha0"], atol=1e-9, rtol=0)


def test_saturated_single_precision_stays_finite():
    logits = torch.tensor([[200.0, -200.0, 200.0], [-200.0, -200.0, -200.0]], requires_grad=True)
    loss = survival_nll(logits, Outcomes(torch.tensor([2, 2]), torch.tensor([0.0, 1.0])))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
