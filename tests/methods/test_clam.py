"""CLAM: its branches, and the loss of its classifiers of patches, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from ccl.data.batch import Batch, Outcomes


def patient(bag, labels, censorship):
    labels = torch.tensor(labels)[:, None]
    return Batch((), None, Outcomes(labels, torch.tensor(censorship)[:, None], labels + 1.0), bag)


def inside(model, bag, number):
    """Patches after the layer and scores of one replica."""
    bag = bag.expand(len(model.replicas), -1, -1)
    patches = model.patch(bag)
    return patches[number], model.attention(patches)[number]


@pytest.mark.parametrize("name", ["clam-sb", "clam-mb"])
def test_hazards_are_read_from_the_attended_bag(build, name):
    model = build(name, seeds=(0, 1)).eval()
    bag = torch.randn(1, 30, 10)
    logits = model(Batch((), None, None, bag)).logits
    for number in range(2):
        patches, scores = inside(model, bag, number)
        weights, biases = model.head.weight[number], model.head.bias[number]
        for interval in range(4):
            branch, row = (interval, 0) if name == "clam-mb" else (0, interval)
            pooled = scores[:, branch].softmax(dim=0) @ patches
            expected = weights[branch, row] @ pooled + biases[branch, 0, row]
            torch.testing.assert_close(logits[number, 0, interval], expected)


@pytest.mark.parametrize("patches", [2, 5, 16, 40])
@pytest.mark.parametrize("name", ["clam-sb", "clam-mb"])
def test_the_most_and_least_attended_patches_teach_the_classifier_of_the_class(build, name, patches):
    model = build(name, seeds=(0, 1, 2), instance_weight=0.3, dropout=0.0).train()
    bag = torch.randn(3, patches, 10)
    labels = [3, 1, 2]
    loss = model(patient(bag, labels, [0.0, 0.0, 1.0])).aux["instance"]
    count = min(8, patches // 2)
    for number, label in enumerate(labels[:2]):
        seen, scores = inside(model, bag, number)
        order = scores[:, label if name == "clam-mb" else 0].argsort(descending=True)
        shown = seen[torch.cat([order[:count], order[-count:]])]
        answers = linear(shown, model.instance.weight[number, label], model.instance.bias[number, label, 0])
        expected = cross_entropy(answers, torch.tensor([1] * count + [0] * count))
        torch.testing.assert_close(loss[number], 0.3 * expected)
    assert loss[2] == 0  # censored


def test_a_single_patch_is_neither_for_nor_against(build):
    model = build("clam-sb", instance_weight=0.3).train()
    output = model(patient(torch.randn(1, 1, 10), [0], [0.0]))
    assert output.aux["instance"].item() == 0.0
    assert torch.isfinite(output.logits).all()


def test_the_loss_is_of_training_and_off_unless_weighted(build):
    batch = patient(torch.randn(1, 30, 10), [0], [0.0])
    assert not build("clam-sb").train()(batch).aux
    assert not build("clam-sb", instance_weight=0.3).eval()(batch).aux


def test_only_the_classifier_of_the_class_learns(build):
    model = build("clam-mb", instance_weight=math.pi).train()
    model(patient(torch.randn(1, 30, 10), [2], [0.0])).aux["instance"].sum().backward()
    moved = model.instance.weight.grad.flatten(2).any(dim=-1)[0]
    assert moved.tolist() == [False, False, True, False]
