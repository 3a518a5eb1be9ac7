"""Blocks against their textbook forms."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ccl.models.blocks import HEADS, LOCAL_REACH, Aggregate, TransLayer


@pytest.mark.parametrize("length", [1, 5, 17, 40])
def test_the_local_mix_is_a_depthwise_convolution(length):
    torch.manual_seed(0)
    layer = TransLayer(32, dropout=0.0).double()
    values = torch.randn(2, HEADS, length, 4, dtype=torch.float64)
    expected = F.conv2d(values, layer.local[:, None, :, None], padding=(LOCAL_REACH, 0), groups=HEADS)
    torch.testing.assert_close(layer._local_weights(length) @ values, expected)


def test_the_layer_is_attention_plus_local_mix_plus_residual():
    torch.manual_seed(0)
    layer = TransLayer(32, dropout=0.1).double().eval()
    tokens = torch.randn(3, 5, 32, dtype=torch.float64)
    q, k, v = (part.view(3, 5, HEADS, 4).transpose(1, 2) for part in layer.to_qkv(layer.norm(tokens)).split(32, dim=2))
    mixed = F.scaled_dot_product_attention(q, k, v)
    mixed += F.conv2d(v, layer.local[:, None, :, None], padding=(LOCAL_REACH, 0), groups=HEADS)
    expected = tokens + layer.to_out[0](mixed.transpose(1, 2).reshape(3, 5, 32))
    torch.testing.assert_close(layer(tokens), expected)


def test_a_translayer_of_256_channels_has_263176_parameters():
    assert sum(weight.numel() for weight in TransLayer(256, dropout=0.1).parameters()) == 263_176


def test_an_aggregate_is_standardised_over_its_channels_and_cut_at_zero():
    torch.manual_seed(0)
    aggregate, vectors = Aggregate(6).double(), torch.randn(2, 6, 50, dtype=torch.float64)
    mixed = torch.einsum("k,bkd->bd", aggregate.mix.weight[0], vectors) + aggregate.mix.bias
    centred = mixed - mixed.mean(dim=1, keepdim=True)
    expected = centred / torch.sqrt(mixed.var(dim=1, correction=0, keepdim=True) + 1e-5)
    torch.testing.assert_close(aggregate(vectors), expected.clamp(min=0))
