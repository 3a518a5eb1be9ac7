"""MaxMIL and MeanMIL against their definitions."""

from __future__ import annotations

import pytest
import torch

from ccl.data.batch import Batch


@pytest.fixture
def bag():
    return torch.randn(1, 30, 10, generator=torch.Generator().manual_seed(0))


def run(model, bag):
    """Logits (S, n), and per replica the patches after the layer and the logits of each patch."""
    patches = torch.relu(bag @ model.patch.linear.weight.mT + model.patch.linear.bias)
    each = patches @ model.head.weight.mT + model.head.bias
    return model(Batch((), None, None, bag)).logits[:, 0], patches, each


def test_the_mean_of_patches_has_the_mean_logits(build, bag):
    logits, _, each = run(build("meanmil", seeds=(0, 1)).eval(), bag)
    torch.testing.assert_close(logits, each.mean(dim=1))


def test_the_maximum_is_of_each_channel(build, bag):
    model = build("maxmil", seeds=(0, 1)).eval()
    logits, patches, each = run(model, bag)
    largest = torch.stack([torch.stack([max(channel) for channel in own.T]) for own in patches])
    for number in range(2):
        expected = model.head.weight[number] @ largest[number] + model.head.bias[number, 0]
        torch.testing.assert_close(logits[number], expected)
        # No one patch has all the largest channels.
        assert not (each[number] == logits[number]).all(dim=1).any()


def test_at_the_level_of_instances_one_patch_speaks_for_the_bag(build, bag):
    model = build("maxmil", seeds=(0, 1), level="instance").eval()
    logits, _, each = run(model, bag)
    for number in range(2):
        probabilities = each[number].softmax(dim=1)
        surest = max(range(30), key=lambda patch: probabilities[patch].max())
        torch.testing.assert_close(logits[number], each[number, surest])
    # Copies of the patch change nothing, however many.
    again = torch.cat([bag, bag[:, [surest] * 9]], dim=1)
    torch.testing.assert_close(run(model, again)[0][1], logits[1])
