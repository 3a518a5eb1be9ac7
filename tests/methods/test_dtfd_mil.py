"""DTFD-MIL: pseudo-bags and both tiers, by hand."""

from __future__ import annotations

import pytest
import torch

from ccl.data.batch import Batch, Outcomes
from ccl.nn.likelihood import survival_nll

OUTCOMES = Outcomes(torch.tensor([[2], [1]]), torch.tensor([[0.0], [1.0]]), torch.tensor([[9.0], [5.0]]))


def patient(bag):
    return Batch((), None, OUTCOMES, bag)


def pool(attention, number, x):
    """Gated attention of one replica: vectors (N, d) into one."""

    def layer(linear, x):
        return x @ linear.weight[number].T + linear.bias[number]

    hidden = layer(attention.value, x).tanh() * layer(attention.gate, x).sigmoid()
    return layer(attention.score, hidden).softmax(dim=0).T @ x


def test_a_pseudo_bag_for_each_patch_leaves_the_second_tier_alone(build):
    """As many pseudo-bags as patches, or more: however they are dealt, the first tier has nothing to pool."""
    model = build("dtfd-mil", seeds=(0, 1), pseudo_bags=50).train()
    bag = torch.randn(1, 6, 10)
    output = model(patient(bag))
    patches = torch.relu(bag @ model.patch.weight.mT)
    each = patches @ model.head.weight.mT + model.head.bias
    for number in range(2):
        pooled = pool(model.second_attention, number, patches[number])
        expected = pooled @ model.second_head.weight[number].T + model.second_head.bias[number]
        torch.testing.assert_close(output.logits[number], expected)
        one = Outcomes(*(part[[number]] for part in (OUTCOMES.labels, OUTCOMES.censorship, OUTCOMES.months)))
        losses = [survival_nll(logits[None, None], one).item() for logits in each[number]]
        assert output.aux["first_tier"][number].item() == pytest.approx(sum(losses) / 6)


def test_one_pseudo_bag_leaves_the_first_tier_alone(build):
    model = build("dtfd-mil", seeds=(0, 1), pseudo_bags=1).train()
    bag = torch.randn(1, 30, 10)
    output = model(patient(bag))
    patches = torch.relu(bag @ model.patch.weight.mT)
    pooled = torch.stack([pool(model.attention, number, patches[number]) for number in range(2)])
    torch.testing.assert_close(output.logits, pooled @ model.second_head.weight.mT + model.second_head.bias)
    expected = survival_nll(pooled @ model.head.weight.mT + model.head.bias, OUTCOMES)
    torch.testing.assert_close(output.aux["first_tier"], expected)


@pytest.mark.parametrize("training", [True, False])
def test_patches_are_dealt_evenly(build, training):
    model = build("dtfd-mil", seeds=(0, 1), end_to_end=True).train(training)
    for attention in (model.attention, model.second_attention):
        torch.nn.init.zeros_(attention.score.weight)
    for weight in (model.patch.weight, model.second_head.weight):
        torch.nn.init.ones_(weight)
    bag = torch.rand(2, 10, 10, requires_grad=True)
    model(patient(bag)).logits.sum().backward()
    # A mean of means: a patch counts less the more share its pseudo-bag. From a value to the logits lead 64 ways.
    for weights in bag.grad[..., 0] / 64:
        torch.testing.assert_close(weights.sort().values, torch.tensor([1 / 12] * 6 + [1 / 8] * 4))


def test_each_step_and_each_replica_deals_anew(build):
    model = build("dtfd-mil", seeds=(0, 1)).train()
    with torch.no_grad():
        for weight in model.parameters():
            weight[1] = weight[0]
    bag = torch.randn(1, 30, 10)
    first, second = (model(patient(bag)).logits for _ in range(2))
    logits = [first[0], first[1], second[0], second[1]]
    assert all(not torch.allclose(a, b) for a in logits for b in logits if a is not b)
    model.eval()
    evaluated = model(patient(bag)).logits
    torch.testing.assert_close(evaluated[0], evaluated[1])


@pytest.mark.parametrize("end_to_end", [False, True])
def test_what_is_distilled_is_a_constant_unless_asked_for(build, end_to_end):
    model = build("dtfd-mil", seeds=(0, 1), end_to_end=end_to_end).train()
    model(patient(torch.randn(1, 30, 10))).logits.sum().backward()
    assert model.second_head.weight.grad is not None
    assert (model.patch.weight.grad is not None) == end_to_end
