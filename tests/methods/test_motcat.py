"""MOTCat: micro-batches, how they are combined, and the transport plan."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods import hyper, load
from ccl.methods.interface import risk, survival
from ccl.methods.motcat.network import deal, mean_survival
from ccl.nn.likelihood import survival_nll
from ccl.nn.replicas import Replicas

SHAPE = Shape((7, 5, 11), intervals=4, clusters=0, features=10)


def model(seeds=(0,), **overrides):
    return load("motcat").Model(SHAPE, hyper("motcat", {"width": 16, **overrides}), Replicas(seeds))


def batch(patches, *, replicas=1, outcomes=True):
    rng = torch.Generator().manual_seed(0)
    fates = torch.tensor([[2], [0]]), torch.tensor([[0.0], [1.0]]), torch.tensor([[9.0], [3.0]])
    return Batch(
        tuple(torch.randn(1, 1, size, generator=rng) for size in SHAPE.families),
        None,
        Outcomes(*(fate[:replicas] for fate in fates)) if outcomes else None,
        torch.randn(1, patches, 10, generator=rng),
    )


@pytest.mark.parametrize("patches", [1, 2, 255, 256, 257, 700, 1023])
def test_a_bag_is_dealt_into_equal_micro_batches(patches):
    places, filled = deal(patches, 256)
    assert len(places) == patches // 256 + 1
    assert places[filled].tolist() == list(range(patches))
    sizes = filled.sum(dim=1)
    assert sizes.max() <= 256
    assert sizes.max() - sizes.min() <= 1


def test_the_bags_survival_is_the_mean_of_the_micro_batches_and_so_is_its_risk():
    logits = torch.randn(2, 5, 4, dtype=torch.float64) * 3
    together = mean_survival(logits)
    torch.testing.assert_close(survival(together), survival(logits).mean(dim=1, keepdim=True))
    torch.testing.assert_close(risk(together), risk(logits).mean(dim=1, keepdim=True))


def test_certain_micro_batches_give_finite_numbers():
    logits = torch.tensor([[[-80.0, 80.0, -80.0, 80.0], [-90.0, -90.0, 90.0, 90.0]]], requires_grad=True)
    together = mean_survival(logits)
    together.sum().backward()
    assert torch.isfinite(together).all()
    assert torch.isfinite(logits.grad).all()


def test_one_micro_batch_speaks_for_itself():
    logits = torch.randn(2, 1, 4, dtype=torch.float64)
    torch.testing.assert_close(mean_survival(logits), logits)


def micro_batches(network, patient):
    """The logits of each micro-batch, its patches given to a copy of the network as a bag of their own."""
    order = np.random.default_rng(0).permutation(patient.bag.shape[1])
    whole = model(micro_batch=10_000).eval()
    whole.load_state_dict(network.state_dict())
    places, filled = deal(len(order), network.hyper.micro_batch)
    return torch.cat(
        [
            whole(Batch(patient.genomics, None, None, patient.bag[:, order[own[real]]])).logits
            for own, real in zip(places, filled, strict=True)
        ],
        dim=1,
    )


def test_risk_and_loss_are_the_means_over_micro_batches():
    network, patient = model(micro_batch=16, dropout=0.0), batch(50)
    each = micro_batches(network, patient)
    assert each.shape == (1, 4, 4)
    together = network.eval()(patient).logits
    torch.testing.assert_close(risk(together), risk(each).mean(dim=1, keepdim=True))

    # In training with the shuffle of evaluation.
    network.train()._order = lambda count: torch.from_numpy(np.random.default_rng(0).permutation(count))[None]
    output = network(patient)
    own = patient.outcomes
    losses = [survival_nll(each[:, [number]], own) for number in range(4)]
    loss = survival_nll(output.logits, own) + output.aux["micro_batches"]
    torch.testing.assert_close(loss, torch.stack(losses).mean(dim=0))
    assert output.aux["micro_batches"].item() > 0


def test_each_replica_has_its_own_outcome_and_shuffle():
    network, patient = model(seeds=(0, 1), micro_batch=16), batch(50, replicas=2)
    aux = network.train()(patient).aux["micro_batches"]
    assert aux.shape == (2,)
    orders = network._order(50)
    assert not torch.equal(*orders)


def test_a_whole_bag_at_once_is_invariant_to_its_order_and_micro_batches_are_not():
    patient = batch(50, outcomes=False)
    turned = Batch(patient.genomics, None, None, patient.bag.flip(1))
    for size, same in ((1000, True), (16, False)):
        network = model(micro_batch=size).eval()
        assert torch.allclose(network(patient).logits, network(turned).logits, atol=1e-5) == same


def test_families_are_told_by_the_plan_of_what_patches_are_and_no_gradient_comes_through_it():
    network, patient = model(micro_batch=1000, dropout=0.0).eval(), batch(30, outcomes=False)
    told = []
    network.network.hazards = lambda attended, families: told.append(attended) or torch.zeros(1, 1, 4)
    network(patient)
    (attended,) = told
    families, patches = network.network.encode(patient, patient.bag)
    plan = network._plan(patches[:, None], families[:, None], torch.ones(1, 30, dtype=torch.bool))
    expected = torch.einsum("snf,snd->sfd", plan[:, 0], patches)
    torch.testing.assert_close(attended[:, 0], expected)
    assert 0.5 < plan.sum() < 1.5
    assert not plan.requires_grad

    # What remains is linear in the patches: through ReLU, its gradient is that of the plan alone.
    attended.sum().backward()
    linear = network.network.patch.linear
    patches = F.relu(patient.bag @ linear.weight.mT + linear.bias)
    (wanted,) = torch.autograd.grad((plan[:, 0].sum(dim=-1, keepdim=True) * patches).sum(), linear.weight)
    torch.testing.assert_close(linear.weight.grad, wanted)
    assert all(weight.grad is None for weight in network.network.families.parameters())
