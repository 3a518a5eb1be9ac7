"""The SNN network."""

from __future__ import annotations

import torch
from torch import nn

from ccl.models import hyper
from ccl.models.interface import Batch, Shape, risk, survival
from ccl.models.snn import Model


def test_layers_keep_the_scale_of_their_input():
    """What "self-normalising" means: after training mode's dropout too, variance stays of the order of one."""
    torch.manual_seed(0)
    model = Model(Shape((300, 700), 4, 0, 0), hyper("snn", {}))
    blocks = [layer for layer in model.layers if isinstance(layer, nn.Sequential)]
    assert [(block[0].in_features, type(block[1])) for block in blocks] == [(n, nn.SELU) for n in (1000, 256, 256, 256)]
    for block in blocks:
        nn.init.normal_(block[0].weight, std=block[0].in_features ** -0.5)
        nn.init.zeros_(block[0].bias)
    x = torch.randn(2000, 1000)
    for block in blocks:
        x = block(x)
        assert abs(x.mean().item()) < 0.2
        assert 0.7 < x.var().item() < 1.3


def test_survival_falls_and_risk_is_its_negative_sum():
    torch.manual_seed(0)
    logits = Model(Shape((5, 3), 4, 0, 0), hyper("snn", {}))(
        Batch((torch.randn(9, 5), torch.randn(9, 3)), None, None)
    ).logits
    curve = survival(logits)
    hazard = 1 / (1 + torch.exp(-logits))
    expected = torch.stack([(1 - hazard)[:, : k + 1].prod(dim=1) for k in range(4)], dim=1)
    torch.testing.assert_close(curve, expected)
    assert (curve.diff(dim=1) < 0).all()
    torch.testing.assert_close(risk(logits), -expected.sum(dim=1))
