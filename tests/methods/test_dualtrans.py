"""DualTrans: its parts."""

from __future__ import annotations

from dataclasses import replace

import torch


def test_the_bag_is_one_more_token_behind_the_families(build, patients):
    model = build("dualtrans", seeds=(0, 1)).eval()
    batch = replace(patients(1), bag=torch.randn(1, 30, 10))
    families = model.families(batch.genomics)
    slide = model.transformer(torch.relu(batch.bag @ model.patch.weight.mT + model.patch.bias))
    fused = model.fusion(torch.cat([families[:, 0], slide], dim=1)[:, None])
    assert families.shape == (2, 1, 3, 16)
    torch.testing.assert_close(model(batch).logits, fused @ model.head.weight.mT + model.head.bias)


def test_patients_of_each_replica_are_as_if_alone(build, patients):
    both = replace(patients(1, replicas=2), bag=torch.randn(2, 30, 10))
    logits = build("dualtrans", seeds=(3, 4)).eval()(both).logits
    for number, seed in enumerate((3, 4)):
        genomics = tuple(values[[number]] for values in both.genomics)
        one = replace(both, genomics=genomics, bag=both.bag[[number]])
        torch.testing.assert_close(build("dualtrans", seeds=(seed,)).eval()(one).logits[0], logits[number])
