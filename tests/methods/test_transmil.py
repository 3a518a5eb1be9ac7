"""TransMIL: its parts, and its use of the order of patches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ccl.data.batch import Batch


def of(bag: torch.Tensor) -> Batch:
    return Batch((), None, None, bag)


def test_it_is_a_layer_a_transformer_and_the_hazards(build):
    model = build("transmil", seeds=(0, 1)).eval()
    bag = torch.randn(1, 30, 10)
    logits = model(of(bag)).logits
    patches = torch.relu(bag @ model.patch.weight.mT + model.patch.bias)
    expected = model.transformer(patches)[:, 0] @ model.head.weight[1].T + model.head.bias[1]
    torch.testing.assert_close(logits[1, 0], expected[1])
    assert logits.shape == (2, 1, 4)


def test_the_order_matters_through_the_local_mix_and_the_positions(build):
    model = build("transmil").eval()
    for weight in (*model.transformer.positions.weights, *model.transformer.positions.biases):
        torch.nn.init.zeros_(weight)
    for layer in model.transformer.layers:
        torch.nn.init.zeros_(layer.local)
    # 8 landmarks: one of six zeros and the class token, then of 7 patches each.
    bag = torch.randn(1, 49, 10)
    order = torch.arange(49)
    order[7:14] = order[7:14].flip(0)
    torch.testing.assert_close(model(of(bag)).logits, model(of(bag[:, order])).logits)
    placed = build("transmil").eval()
    assert not torch.allclose(placed(of(bag)).logits, placed(of(bag[:, order])).logits, atol=1e-4)


def test_its_class_token_starts_as_wide_as_a_patch(build):
    token = build("transmil", width=512).transformer.class_token
    assert token.std().item() == pytest.approx(1.0, abs=0.1)


def test_patients_of_each_replica_are_as_if_alone(build, patients):
    model = build("transmil", seeds=(0, 1)).eval()
    bags = torch.randn(2, 30, 10)
    batch = replace(patients(1, replicas=2), bag=bags)
    both = model(batch).logits
    for seed in range(2):
        alone = build("transmil", seeds=(seed,)).eval()
        torch.testing.assert_close(alone(of(bags[seed : seed + 1])).logits[0], both[seed])
