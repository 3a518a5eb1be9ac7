"""The SNN network."""

from __future__ import annotations

import torch

from ccl.data.batch import Batch, Shape
from ccl.methods import hyper
from ccl.methods.interface import risk, survival
from ccl.methods.snn.network import Model
from ccl.nn.blocks import SnnLayer
from ccl.nn.replicas import Replicas


def test_layers_keep_the_scale_of_their_input():
    """What "self-normalising" means: after training mode's dropout too, variance stays of the order of one."""
    model = Model(Shape((300, 700), 4, 0, 0), hyper("snn", {}), Replicas((0,)))
    layers = [layer for layer in model.layers if isinstance(layer, SnnLayer)]
    assert [layer.linear.weight.shape[2] for layer in layers] == [1000, 256, 256, 256]
    x = torch.randn(1, 2000, 1000)
    for layer in layers:
        torch.nn.init.normal_(layer.linear.weight, std=layer.linear.weight.shape[2] ** -0.5)
        torch.nn.init.zeros_(layer.linear.bias)
        x = layer(x)
        assert abs(x.mean().item()) < 0.2
        assert 0.7 < x.var().item() < 1.3


def test_survival_falls_and_risk_is_its_negative_sum():
    model = Model(Shape((5, 3), 4, 0, 0), hyper("snn", {}), Replicas((0, 1))).eval()
    logits = model(Batch((torch.randn(1, 9, 5), torch.randn(1, 9, 3)), None, None)).logits
    assert logits.shape == (2, 9, 4)
    curve = survival(logits)
    hazard = 1 / (1 + torch.exp(-logits))
    expected = torch.stack([(1 - hazard)[..., : k + 1].prod(dim=-1) for k in range(4)], dim=-1)
    torch.testing.assert_close(curve, expected)
    assert (curve.diff(dim=-1) < 0).all()
    torch.testing.assert_close(risk(logits), -expected.sum(dim=-1))
