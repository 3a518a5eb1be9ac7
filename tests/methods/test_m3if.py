"""M3IF against a plain network with the same weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ccl.data.batch import Batch, Shape
from ccl.methods import hyper, load
from ccl.nn.replicas import AlphaDropout, Dropout, Replicas

SHAPE = Shape((7, 5, 11), intervals=4, clusters=0, features=10)


@pytest.fixture
def model():
    return load("m3if").Model(SHAPE, hyper("m3if", {"width": 16}), Replicas((0, 1))).double().eval()


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(0)
    kind = {"generator": rng, "dtype": torch.float64}
    return Batch(
        tuple(torch.randn(1, 1, size, **kind) for size in SHAPE.families), None, None, torch.randn(1, 30, 10, **kind)
    )


def plain(own, batch, number, *, detach):
    """The logits (n,) of one replica, by the formulas; `own` are its weights by name."""

    def layer(name, x):
        return F.linear(x, own[f"{name}.weight"][number], own[f"{name}.bias"][number, 0])

    genes = torch.cat([values[0, 0] for values in batch.genomics])
    for index in range(2):
        genes = F.elu(layer(f"genes.layers.{index}.linear", genes))
    patches = F.leaky_relu(layer("patch", batch.bag[0]))
    mean = patches.mean(dim=0)
    squeezed = F.relu(layer("recalibration.squeeze", torch.cat([genes, mean])))
    genes = genes * torch.sigmoid(layer("recalibration.excite.0", squeezed))
    gate = torch.sigmoid(layer("recalibration.excite.1", squeezed))
    mean, patches = gate * mean, torch.stack([gate * patch for patch in patches])
    context = mean.detach() if detach else mean
    pairs = torch.stack([torch.cat([patch, context]) for patch in patches])
    scores = layer("context_attention.score", F.leaky_relu(layer("context_attention.hidden", pairs)))[:, 0]
    attended = sum(weight * patch for weight, patch in zip(torch.softmax(scores, dim=0), patches, strict=True))
    return layer("head", layer("joint", torch.cat([layer("after_genes", genes), attended, mean])))


def test_logits_by_the_formulas(model, batch):
    own = dict(model.named_parameters())
    expected = torch.stack([plain(own, batch, number, detach=True) for number in range(2)])
    torch.testing.assert_close(model(batch).logits[:, 0], expected)


def test_in_training_the_scores_give_the_mean_no_gradient(model, batch):
    model.train()
    for module in model.modules():
        if isinstance(module, (Dropout, AlphaDropout)):
            module.eval()
    own, by = dict(model.named_parameters()), torch.randn(4, dtype=torch.float64)
    weight = model.patch.weight
    (ours,) = torch.autograd.grad((model(batch).logits[0, 0] * by).sum(), weight)
    detached, attached = (
        torch.autograd.grad((plain(own, batch, 0, detach=detach) * by).sum(), weight)[0] for detach in (True, False)
    )
    torch.testing.assert_close(ours, detached)
    assert not torch.allclose(ours, attached)
