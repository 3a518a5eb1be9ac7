"""SNNTrans: its layers by hand, and that patients do not see each other."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F


def test_two_layers_per_family_then_a_transformer_then_the_hazards(build, patients):
    model = build("snntrans", seeds=(0, 1)).eval()
    batch = patients(5)
    first, second = model.families.first, model.families.second.linear
    tokens = []
    for family, values in enumerate(batch.genomics):
        hidden = F.selu(values[0] @ first.weights[family][1].T + first.bias[1, family])
        tokens.append(F.selu(hidden @ second.weight[1].T + second.bias[1]))
    stacked = torch.stack(tokens, dim=1).expand(2, -1, -1, -1)
    fused = model.transformer(stacked)[1]
    expected = fused @ model.head.weight[1].T + model.head.bias[1]
    torch.testing.assert_close(model(batch).logits[1], expected)


def test_patients_are_judged_one_by_one(build, patients):
    model = build("snntrans").eval()
    batch = patients(5)
    one = replace(batch, genomics=tuple(values[:, [3]] for values in batch.genomics))
    torch.testing.assert_close(model(one).logits[:, 0], model(batch).logits[:, 3])


def test_every_family_has_its_say(build, patients):
    model = build("snntrans").eval()
    genomics = [values.requires_grad_() for values in patients(1).genomics]
    model(replace(patients(1), genomics=tuple(genomics))).logits.sum().backward()
    assert all(values.grad.abs().sum() > 1e-6 for values in genomics)
