"""Blocks against their textbook forms."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ccl.nn import HEADS
from ccl.nn.blocks import FEED_FORWARD, LOCAL_REACH, Aggregate, Fusion, TransLayer, VanillaLayer
from ccl.nn.replicas import Replicas

REPLICAS = Replicas((0, 1))


def qkv(layer, tokens, number):
    """Query, key and value of one replica's tokens (B, T, d): (B, heads, T, c) each."""
    batch, length, width = tokens.shape
    normed = F.layer_norm(tokens, (width,), layer.norm.weight[number, 0], layer.norm.bias[number, 0])
    parts = (normed @ layer.to_qkv.weight[number].T).split(width, dim=2)
    return [part.view(batch, length, HEADS, width // HEADS).transpose(1, 2) for part in parts]


def project(layer, mixed, number):
    out = mixed.transpose(1, 2).flatten(2)
    return out @ layer.to_out.weight[number].T + layer.to_out.bias[number, 0]


@pytest.mark.parametrize("padding", [0, 123])
@pytest.mark.parametrize("length", [1, 5, 17, 40, 70])
def test_the_layer_is_attention_plus_local_mix_plus_residual(length, padding):
    layer = TransLayer(REPLICAS, 32, dropout=0.1, padding=padding).double().eval()
    tokens = torch.randn(2, 3, length, 32, dtype=torch.float64)
    for number in range(2):
        q, k, v = qkv(layer, tokens[number], number)
        # Positions of padding have keys and values of zero.
        wide = [F.pad(part, (0, 0, 0, padding)) for part in (k, v)]
        mixed = F.scaled_dot_product_attention(q, *wide)
        kernel = layer.local[number][:, None, :, None]
        mixed = mixed + F.conv2d(v, kernel, padding=(LOCAL_REACH, 0), groups=HEADS)
        expected = tokens[number] + project(layer, mixed, number)
        torch.testing.assert_close(layer(tokens, length)[number], expected)
    torch.testing.assert_close(layer(tokens, 1), layer(tokens, length)[:, :, :1])


def test_the_vanilla_layer_is_attention_and_a_feed_forward_part():
    layer = VanillaLayer(REPLICAS, 32, dropout=0.1).double().eval()
    tokens = torch.randn(2, 3, 5, 32, dtype=torch.float64)
    for number in range(2):
        attention = layer.attention
        q, k, v = qkv(attention, tokens[number], number)
        x = tokens[number] + project(attention, F.scaled_dot_product_attention(q, k, v), number)
        normed = F.layer_norm(x, (32,), layer.norm.weight[number, 0], layer.norm.bias[number, 0])
        wide = torch.relu(normed @ layer.widen.weight[number].T + layer.widen.bias[number, 0])
        assert wide.shape[-1] == FEED_FORWARD * 32
        expected = x + wide @ layer.narrow.weight[number].T + layer.narrow.bias[number, 0]
        torch.testing.assert_close(layer(tokens, 5)[number], expected)
    torch.testing.assert_close(layer(tokens, 1), layer(tokens, 5)[:, :, :1])


def test_parameter_counts_of_256_channels():
    counts = [
        sum(weight.numel() for weight in layer.parameters()) // 2
        for layer in (
            TransLayer(REPLICAS, 256, dropout=0.1, padding=0),
            VanillaLayer(REPLICAS, 256, dropout=0.1),
            Fusion(REPLICAS, 256, [TransLayer(REPLICAS, 256, dropout=0.1, padding=0) for _ in range(2)]),
        )
    ]
    assert counts == [263_176, 512 + 3 * 65_536 + 65_792 + 512 + 263_168 + 262_400, 527_120]


@pytest.mark.parametrize("standardise", [True, False])
def test_an_aggregate_is_a_weighted_sum(standardise):
    aggregate = Aggregate(REPLICAS, 6, standardise=standardise).double()
    vectors = torch.randn(2, 3, 6, 50, dtype=torch.float64)
    mixed = torch.einsum("sk,sbkd->sbd", aggregate.weight[:, 0, :, 0], vectors) + aggregate.bias
    if standardise:
        centred = mixed - mixed.mean(dim=-1, keepdim=True)
        mixed = (centred / torch.sqrt(mixed.var(dim=-1, correction=0, keepdim=True) + 1e-5)).clamp(min=0)
    torch.testing.assert_close(aggregate(vectors), mixed)
