"""MCAT, its layers against PyTorch's own with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ccl.data.batch import Batch, Shape
from ccl.methods import hyper, load
from ccl.nn import HEADS
from ccl.nn.blocks import PostNormLayer
from ccl.nn.coattention import CoAttention
from ccl.nn.replicas import Replicas

WIDTH = 16
BLCA = Shape((94, 334, 521, 468, 1496, 479), intervals=4, clusters=0, features=1024)


def attention_state(to_in, to_out, number):
    """The weights of one replica, as PyTorch names those of attention."""
    return {
        "in_proj_weight": torch.cat([layer.weight[number] for layer in to_in]),
        "in_proj_bias": torch.cat([layer.bias[number, 0] for layer in to_in]),
        "out_proj.weight": to_out.weight[number],
        "out_proj.bias": to_out.bias[number, 0],
    }


def test_coattention_is_attention_with_one_head():
    ours = CoAttention(Replicas((0, 1)), WIDTH).double()
    genes, patches = (torch.randn(2, count, WIDTH, dtype=torch.float64) for count in (6, 50))
    for number in range(2):
        theirs = nn.MultiheadAttention(WIDTH, 1, batch_first=True).double()
        theirs.load_state_dict(attention_state((ours.to_q, ours.to_kv), ours.to_out, number))
        expected, _ = theirs(genes[number], patches[number], patches[number])
        torch.testing.assert_close(ours(genes, patches)[number], expected)


def test_the_transformer_layer_is_pytorchs():
    ours = PostNormLayer(Replicas((0, 1)), WIDTH, 24, dropout=0.25).double().eval()
    for norm in (ours.attended_norm, ours.norm):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    tokens = torch.randn(2, 3, 5, WIDTH, dtype=torch.float64)
    for number in range(2):
        theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, 24, batch_first=True, dropout=0.25).double().eval()
        attention = attention_state((ours.to_qkv,), ours.to_out, number)
        pairs = {"linear1": ours.widen, "linear2": ours.narrow, "norm1": ours.attended_norm, "norm2": ours.norm}
        state = {f"self_attn.{name}": value for name, value in attention.items()}
        for name, layer in pairs.items():
            state |= {f"{name}.weight": layer.weight[number], f"{name}.bias": layer.bias[number]}
        theirs.load_state_dict({name: value.squeeze(0) for name, value in state.items()})
        torch.testing.assert_close(ours(tokens)[number], theirs(tokens[number]))


def test_dropout_in_the_transformer_layer_is_of_training_alone():
    layer = PostNormLayer(Replicas((0,)), WIDTH, 24, dropout=0.5)
    tokens = torch.randn(1, 1, 5, WIDTH)
    assert not torch.equal(layer(tokens), layer(tokens))
    layer.eval()
    assert torch.equal(layer(tokens), layer(tokens))


@pytest.mark.parametrize(("fusion", "count"), [("concat", 4_492_038), ("kronecker", 4_691_142)])
def test_published_counts(fusion, count):
    model = load("mcat").Model(BLCA, hyper("mcat", {"fusion": fusion}), Replicas((0,)))
    assert sum(weight.numel() for weight in model.parameters()) == count


@pytest.mark.parametrize("fusion", ["concat", "kronecker"])
def test_replicas_are_the_networks_of_their_seeds(fusion):
    def logits(*seeds):
        model = load("mcat").Model(Shape((7, 5, 11), 4, 0, 10), chosen, Replicas(seeds)).eval()
        return model(batch).logits

    chosen = hyper("mcat", {"width": WIDTH, "fusion": fusion})
    batch = Batch(tuple(torch.randn(1, 1, size) for size in (7, 5, 11)), None, None, torch.randn(1, 30, 10))
    torch.testing.assert_close(logits(3, 8), torch.cat([logits(3), logits(8)]))
