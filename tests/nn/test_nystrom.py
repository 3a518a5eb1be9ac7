"""Attention over bags against the library that the published networks use, with the same weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from nystrom_attention import NystromAttention

from ccl.nn import HEADS
from ccl.nn.nystrom import PPEG, NystromLayer, PatchTransformer, TokenTransformer, exact_fusion
from ccl.nn.replicas import Replicas

WIDTH = 32


def published(layer, number):
    """The library's attention with the weights of one replica."""
    theirs = NystromAttention(WIDTH, WIDTH // HEADS, HEADS, num_landmarks=WIDTH // 2).double()
    own = {name: value[number] for name, value in layer.state_dict().items()}
    theirs.load_state_dict(
        {
            "to_qkv.weight": own["to_qkv.weight"],
            "to_out.0.weight": own["to_out.weight"],
            "to_out.0.bias": own["to_out.bias"][0],
            "res_conv.weight": own["local"][:, None, :, None],
        }
    )
    return theirs, own


def run_published(layer, number, tokens):
    theirs, own = published(layer, number)
    normed = F.layer_norm(tokens, (WIDTH,), own["norm.weight"][0], own["norm.bias"][0])
    return tokens + theirs(normed[None])[0]


def layer_with_a_norm():
    layer = NystromLayer(Replicas((0, 1)), WIDTH).double().eval()
    torch.nn.init.normal_(layer.norm.weight)
    torch.nn.init.normal_(layer.norm.bias)
    return layer


@pytest.mark.parametrize("length", [1, 5, 16, 33, 100])
def test_the_layer_is_the_published_one_replica_by_replica(length):
    layer = layer_with_a_norm()
    tokens = torch.randn(2, length, WIDTH, dtype=torch.float64, requires_grad=True)
    expected = torch.stack([run_published(layer, number, tokens[number]) for number in range(2)])
    ours = layer(tokens, length)
    torch.testing.assert_close(ours, expected)
    by = torch.randn_like(ours)
    (grad,) = torch.autograd.grad((ours * by).sum(), tokens)
    (wanted,) = torch.autograd.grad((expected * by).sum(), tokens)
    torch.testing.assert_close(grad, wanted)


@pytest.mark.parametrize("length", [1, 5, 33, 100])
def test_fewer_rows_are_the_first_of_all(length):
    layer = layer_with_a_norm()
    tokens = torch.randn(2, length, WIDTH, dtype=torch.float64)
    for rows in {1, min(20, length)}:
        torch.testing.assert_close(layer(tokens, rows), layer(tokens, length)[:, :rows])


def test_a_bag_of_5000_in_32_bits_gives_what_64_bits_give():
    torch.manual_seed(0)
    layer, results = NystromLayer(Replicas((0,)), WIDTH).eval(), []
    tokens = torch.randn(1, 5000, WIDTH)
    for kind in (torch.float32, torch.float64):
        layer, own = layer.to(kind), tokens.to(kind).requires_grad_()
        out = layer(own, 5000)
        (grad,) = torch.autograd.grad(out.square().sum(), own)
        results.append((out.double(), grad.double()))
    for single, double in zip(*results, strict=True):
        torch.testing.assert_close(single, double, rtol=1e-4, atol=1e-4)


def test_positions_are_three_convolutions_and_the_tokens():
    positions = PPEG(Replicas((0, 1)), 8).double()
    tokens = torch.randn(2, 25, 8, dtype=torch.float64)
    for number in range(2):
        square = tokens[number].T.reshape(1, 8, 5, 5)
        expected = square
        for weight, bias in zip(positions.weights, positions.biases, strict=True):
            kernel = weight[number][:, None]
            expected = expected + F.conv2d(square, kernel, bias[number], padding=kernel.shape[-1] // 2, groups=8)
        torch.testing.assert_close(positions(tokens)[number], expected[0].flatten(1).T)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 10])
def test_patches_are_repeated_from_the_first_to_fill_a_square(count):
    transformer = PatchTransformer(Replicas((0, 1)), WIDTH).double().eval()
    patches = torch.randn(2, count, WIDTH, dtype=torch.float64)
    side = next(side for side in range(9) if side * side >= count)
    square = torch.cat([patches, patches], dim=1)[:, : side * side]
    every = transformer(patches, class_only=False)
    assert every.shape == (2, 1 + side * side, WIDTH)
    torch.testing.assert_close(every, transformer(square, class_only=False))
    torch.testing.assert_close(every[:, :1], transformer(patches))

    tokens = torch.cat([transformer.class_token, square], dim=1)[1]
    first, last = transformer.layers
    tokens = run_published(first, 1, tokens)
    placed = transformer.positions(tokens[1:].expand(2, -1, -1))[1]
    tokens = run_published(last, 1, torch.cat([tokens[:1], placed]))
    torch.testing.assert_close(every[1], F.layer_norm(tokens, (WIDTH,)))


@pytest.mark.parametrize("count", [1, 6, 20])
def test_a_token_transformer_is_two_published_layers(count):
    transformer = TokenTransformer(Replicas((0, 1)), WIDTH).double().eval()
    patients = torch.randn(2, count, WIDTH, dtype=torch.float64)
    tokens = torch.cat([transformer.class_token, patients], dim=1)[1]
    for layer in transformer.layers:
        tokens = run_published(layer, 1, tokens)
    expected = F.layer_norm(tokens, (WIDTH,))
    torch.testing.assert_close(transformer(patients, class_only=False)[1], expected)
    torch.testing.assert_close(transformer(patients)[1], expected[:1])


def test_the_exact_form_is_where_more_steps_lead(monkeypatch):
    exact = exact_fusion(Replicas((0, 1)), WIDTH, 6).double().eval()
    transformer = TokenTransformer(Replicas((0, 1)), WIDTH).double().eval()
    state = {name: value.view_as(transformer.state_dict()[name]) for name, value in exact.state_dict().items()}
    transformer.load_state_dict(state)
    tokens = torch.randn(2, 6, WIDTH, dtype=torch.float64)
    distances = []
    for steps in (6, 40):
        monkeypatch.setattr("ccl.nn.nystrom.INVERSE_STEPS", steps)
        distances.append((exact(tokens[:, None]) - transformer(tokens)).abs().max().item())
    assert distances[1] < 1e-6 < distances[0]


def test_parameter_counts():
    sizes = [
        sum(weight.numel() for weight in block(Replicas((0,)), width).parameters())
        for block in (NystromLayer, PPEG, TokenTransformer, PatchTransformer)
        for width in (256, 512)
    ]
    large = 2 * 1_050_376 + 1024 + 512
    assert sizes == [263_176, 1_050_376, 22_016, 44_032, 527_120, large, 549_136, large + 44_032]


def test_in_training_a_share_of_what_attention_gives_is_dropped():
    layer = NystromLayer(Replicas((0,)), WIDTH)
    tokens = torch.randn(1, 400, WIDTH)
    dropped = (layer(tokens, 400) == tokens).float().mean()
    assert dropped == pytest.approx(0.1, abs=0.02)
    assert (layer.eval()(tokens, 400) != tokens).all()
