"""CCL as released against an independent implementation that computes everything the long way.

``benchmarks/released_step.py`` pads five tokens to 128 and approximates their attention, lays out the co-attention
matrices and keeps its bank in lists.  With the same weights and without dropout, both must predict and learn alike.
The release stops after 6 iterations for a pseudo-inverse that takes some 20 to converge; here it converges, as our
closed form is the limit.  At 6, hazards differ by up to 0.007.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from nystrom_attention import NystromAttention

from ccl.data.batch import Outcomes, Shape
from ccl.data.patients import Side
from ccl.methods import hyper, load
from ccl.nn.replicas import Replicas
from ccl.train.loop import train_epoch
from ccl.train.sgd import SGD

SHAPE = Shape((7, 5, 11), intervals=4, clusters=3, features=10)
PATIENTS = 40


@pytest.fixture(scope="module")
def reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
        yield importlib.import_module("released_step")


@pytest.fixture
def both(reference, monkeypatch):
    """Our network and the reference with its weights, neither with dropout."""
    monkeypatch.setattr("ccl.methods.ccl.network.FUSION_DROPOUT", 0.0)
    ours = load("ccl").Model(SHAPE, hyper("ccl", {"preset": "released", "dropout": 0.0}), Replicas((0,)))
    theirs = reference.ReleasedStep(SHAPE.families, SHAPE.features, SHAPE.clusters, SHAPE.intervals)
    for module in theirs.network.modules():
        if isinstance(module, (torch.nn.Dropout, torch.nn.AlphaDropout)):
            module.p = 0.0
        if isinstance(module, NystromAttention):
            module.pinv_iterations = 20
    copy_weights(ours, theirs)
    return ours, theirs


@torch.no_grad()
def copy_weights(ours, theirs):
    to, state = theirs.network, {name: value[0] for name, value in ours.state_dict().items()}

    def linear(layer, weight, bias=None):
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        if bias is not None:
            layer.bias.copy_(bias.reshape(layer.bias.shape))

    for number, family in enumerate(to.families):
        linear(family[0], state[f"genomics.first.weights.{number}"], state["genomics.first.bias"][number])
    linear(to.shared[0], state["genomics.second.linear.weight"], state["genomics.second.linear.bias"])
    linear(to.pathology[0], state["pathology.first.weights.0"], state["pathology.first.bias"])
    for side in ("genomics", "pathology"):
        layer = getattr(to, f"aggregate_{side}")[0]
        linear(layer, state[f"{side}.aggregate.weight"], state[f"{side}.aggregate.bias"])
    for place, side in enumerate(("genomics", "pathology")):
        encoders = (getattr(to, f"only_{side}"), *(getattr(c, f"project_{side}") for c in (to.common, to.synergy)))
        weights = state["decomposition.encode.weight"][place].split(256)
        biases = state["decomposition.encode.bias"][place, 0].split(256)
        for row, encoder in enumerate(encoders):
            linear(encoder[0], weights[row], biases[row])
            linear(encoder[1], state["decomposition.norm_weight"][0, place, row])
            encoder[1].bias.copy_(state["decomposition.norm_bias"][0, place, row])
        for row, component in enumerate((to.common, to.synergy)):
            gate = getattr(component, f"gate_{side}")
            linear(
                gate, state["decomposition.gate_weight"][0, place, row], state["decomposition.gate_bias"][0, place, row]
            )
    to.fusion.token.copy_(state["fusion.class_token"])
    for number in (0, 1):
        layer, name = to.fusion.layers[number], f"fusion.layers.{number}"
        linear(layer.norm, state[f"{name}.norm.weight"], state[f"{name}.norm.bias"])
        linear(layer.attention.to_qkv, state[f"{name}.to_qkv.weight"])
        linear(layer.attention.to_out[0], state[f"{name}.to_out.weight"], state[f"{name}.to_out.bias"])
        linear(layer.attention.res_conv, state[f"{name}.local"])
    linear(to.fusion.layers[2], state["fusion.norm.weight"], state["fusion.norm.bias"])
    linear(to.head, state["head.weight"], state["head.bias"])
    theirs.anchor.copy_(state["pathology.anchor"])


@pytest.fixture
def cohort():
    rng = torch.Generator().manual_seed(5)
    genomics = tuple(torch.randn(PATIENTS, size, generator=rng) for size in SHAPE.families)
    centres = torch.randn(PATIENTS, SHAPE.clusters, SHAPE.features, generator=rng)
    labels, censorship = torch.arange(PATIENTS) % 4, (torch.arange(PATIENTS) // 4 % 2).float()
    side = Side(
        patients=tuple(map(str, range(PATIENTS))),
        months=labels.numpy(),
        censorship=censorship.numpy(),
        genomics=genomics,
        centres=centres,
    )
    return side, Outcomes(labels[None], censorship[None], labels[None] + 1.0)


def hazards(model, side):
    with torch.no_grad():
        return torch.sigmoid(model.eval()(side.batch()).logits[0])


def test_both_predict_alike(both, cohort):
    ours, theirs = both
    side = cohort[0]
    theirs.network.eval()
    with torch.no_grad():
        expected = torch.cat(
            [
                theirs.network([family[i : i + 1] for family in side.genomics], aligned(theirs, side.centres[i]))[0]
                for i in range(PATIENTS)
            ]
        )
    torch.testing.assert_close(hazards(ours, side), expected, atol=1e-5, rtol=1e-4)


def aligned(theirs, centres):
    """Put centres in order without moving the anchor."""
    anchor = theirs.anchor.clone()
    result = theirs.align(centres)
    theirs.anchor = anchor
    return result


def test_both_learn_alike(both, cohort):
    """The loss of each of 40 patients, one step after the other, and the anchor that they leave."""
    ours, theirs = both
    side, outcomes = cohort
    theirs.network.train()
    expected = [
        theirs.step(
            [family[i : i + 1] for family in side.genomics],
            side.centres[i],
            int(outcomes.labels[0, i]),
            float(outcomes.censorship[0, i]),
        )
        for i in range(PATIENTS)
    ]
    sgd = SGD(ours, lr=1e-3, weight_decay=1e-5)
    parts = train_epoch(ours, sgd, side, outcomes=outcomes, orders=torch.arange(PATIENTS)[None])
    losses = sum(parts.values())[0]
    torch.testing.assert_close(losses, torch.tensor(expected), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(ours.pathology.anchor, theirs.anchor, atol=1e-5, rtol=1e-5)
