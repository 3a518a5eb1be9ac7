"""The SNN network."""

from __future__ import annotations

import torch
from torch import nn

from ccl.models import hyper
from ccl.models.interface import Batch, Shape, risk, survival
from ccl.models.snn import Model


def test_weights_start_normal_with_variance_one_over_fan_in_and_zero_bias():
    torch.manual_seed(0)
    linears = [m for m in Model(Shape((300, 700), 4, 0, 0), hyper("snn", {})).modules() if isinstance(m, nn.Linear)]
    assert [layer.in_features for layer in linears] == [1000, 256, 256, 256, 256]
    for layer in linears[:-1]:
        assert abs(layer.weight.var().item() * layer.in_features - 1) < 0.05
        assert (layer.bias == 0).all()


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
