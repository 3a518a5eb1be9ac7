"""The CCL network: stored numbers, its options, what it keeps and what it refuses."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from ccl.data.batch import Batch, Outcomes
from ccl.io.errors import ConfigError, ModelError
from ccl.methods import hyper
from ccl.methods.ccl.alignment import best_order, l1_costs
from ccl.methods.ccl.decomposition import Decomposition
from ccl.nn.likelihood import survival_nll
from ccl.nn.replicas import Replicas
from ccl.train.sgd import SGD

GOLDEN = Path(__file__).parents[2] / "golden"

OPTIONS = [
    {},
    {"preset": "released"},
    {"shared_snn": True},
    {"aggregate": "standardised"},
    {"align": False},
    {"anchor_init": "first_patient"},
    {"match": "cosine"},
    {"guide": False, "decompose": False},
    {"guide": False},
    {"common_encoders": 2, "synergy_encoders": 2, "free_encoders": 3},
    {"common_encoders": 0},
    {"synergy_encoders": 0},
    {"projection": "mlp"},
    {"values": "projected"},
    {"gate": "sigmoid"},
    {"fusion": "exact"},
    {"fusion": "padded"},
    {"knowledge_terms": "PCS"},
    {"knowledge_reduction": "mean"},
    {"groups": 2},
    {"groups_by": "intervals"},
    {"bank": "per_group"},
    {"self_positive": True},
    {"similarity": "dot"},
    {"similarity": "cosine"},
    {"patient_reduction": "mean"},
    {"per_component": False},
]


def step(model, batch):
    """One step of gradient descent; return the loss of each replica."""
    output = model.train()(batch)
    loss = survival_nll(output.logits, batch.outcomes) + sum(output.aux.values())
    SGD(model, lr=0.05, weight_decay=0.0).step(loss.sum())
    return loss.detach()


def test_golden_co_attention():
    case = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN / "co_attention_released.npz").items()}
    module = Decomposition(
        Replicas((0,)), hyper("ccl", {"preset": "released", "width": 16, "synergy_encoders": 0})
    ).double()
    with torch.no_grad():
        for side, letter in enumerate("gp"):
            # The first 16 rows encode the modality's own knowledge.
            module.encode.weight[0, side, 16:] = case[f"proj_{letter}_weight"]
            module.encode.bias[0, side, 0, 16:] = case[f"proj_{letter}_bias"]
            module.norm_weight[0, 0, side, 1] = case[f"norm_{letter}_weight"]
            module.norm_bias[0, 0, side, 1] = case[f"norm_{letter}_bias"]
            module.gate_weight[0, 0, side, 0] = case[f"gate_{letter}_weight"][0]
            module.gate_bias[0, 0, side, 0] = case[f"gate_{letter}_bias"]
        output = module(torch.stack([case["first"], case["second"]], dim=2))
    torch.testing.assert_close(output[:, :, 0], case["output"], atol=1e-12, rtol=0)


@pytest.mark.parametrize("gate", ["linear", "sigmoid"])
@pytest.mark.parametrize("values", ["raw", "projected"])
@pytest.mark.parametrize("projection", ["linear", "mlp"])
def test_the_closed_form_is_the_co_attention_matrix_written_out(projection, values, gate):
    options = {"width": 16, "projection": projection, "values": values, "gate": gate}
    module = Decomposition(Replicas((0,)), hyper("ccl", options)).double()
    sources = torch.randn(1, 1, 2, 16, dtype=torch.float64)
    components = module(sources)[0, 0]
    weight, bias = module.encode.weight[0], module.encode.bias[0, :, 0]
    encoded = torch.stack([weight[side] @ sources[0, 0, side] + bias[side] for side in (0, 1)]).view(2, 3, 16)
    for encoder in (0, 1):
        g, p = encoded[:, 1 + encoder]
        if projection == "mlp":
            g, p = (torch.relu(torch.nn.functional.layer_norm(v, (16,))) for v in (g, p))
        matrix = torch.outer(p, g)  # equation (3): rows of pathology, columns of genomics
        (w_g, w_p), (b_g, b_p) = module.gate_weight[0, 0, :, encoder], module.gate_bias[0, 0, :, encoder]
        a_g, a_p = matrix.T @ w_g + b_g, matrix @ w_p + b_p
        if gate == "sigmoid":
            a_g, a_p = torch.sigmoid(a_g), torch.sigmoid(a_p)
        v_g, v_p = (g, p) if values == "projected" else sources[0, 0]
        torch.testing.assert_close(components[encoder], a_p * v_p + a_g * v_g)
    specific = torch.relu(torch.nn.functional.layer_norm(encoded[:, 0], (16,)))
    torch.testing.assert_close(components[2:], specific)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_learns_and_each_replica_is_what_it_is_alone(build, patients, options):
    """Three steps of two seeds together, and of the second alone on its own patients."""
    both, alone = build(seeds=(3, 8), **options), build(seeds=(8,), **options)
    batches = [patients(1, replicas=2, outcomes=True, seed=number) for number in range(3)]
    everybody = patients(12, outcomes=True).outcomes
    before = copy.deepcopy(dict(alone.named_parameters()))
    for model in (both, alone):
        model.begin(everybody)
    losses = []
    for batch in batches:
        together = step(both, batch)
        own = Batch(tuple(x[1:] for x in batch.genomics), batch.centres[1:], of(batch.outcomes, 1))
        torch.testing.assert_close(step(alone, own), together[1:], atol=1e-5, rtol=1e-5)
        losses.append(together)
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(both.state_dict()[name][1:], value, atol=1e-5, rtol=1e-4, msg=name)
    assert torch.isfinite(torch.stack(losses)).all()
    # A constant before standardisation is without effect.
    still = [name for name, weight in alone.named_parameters() if torch.equal(weight, before[name])]
    assert [name for name in still if "aggregate.bias" not in name] == []


def of(outcomes, number):
    own = slice(number, number + 1)
    return Outcomes(outcomes.labels[own], outcomes.censorship[own], outcomes.months[own])


def test_each_patient_of_a_batch_is_predicted_as_if_alone(build, patients):
    for options in ({}, {"preset": "released"}):
        model, batch = build(**options).eval(), patients(4)
        together = model(batch).logits
        for i in range(4):
            one = Batch(tuple(family[:, i : i + 1] for family in batch.genomics), batch.centres[:, i : i + 1], None)
            torch.testing.assert_close(model(one).logits[:, 0], together[:, i])


def test_the_order_of_a_patients_clusters_does_not_matter_with_alignment(build, patients):
    batch = patients(4)
    shuffled = Batch(batch.genomics, batch.centres[:, :, [2, 0, 1]], None)
    model = build().eval()
    torch.testing.assert_close(model(shuffled).logits, model(batch).logits)
    model = build(align=False).eval()
    assert not torch.allclose(model(shuffled).logits, model(batch).logits)


def test_training_moves_the_anchor_towards_the_aligned_centres_and_fills_the_bank(build, patients):
    model, batch = build(anchor_update=0.25).train(), patients(1, outcomes=True)
    before = model.pathology.anchor.clone()
    aligned = batch.centres[0, 0][best_order(l1_costs(batch.centres, before))[0, 0]]
    output = model(batch)
    torch.testing.assert_close(model.pathology.anchor[0], 0.75 * before[0] + 0.25 * aligned)
    assert (model.bank.groups >= 0).sum() == 1
    assert set(output.aux) == {"knowledge", "patient"}


def test_an_anchor_may_start_as_the_first_patient(build, patients):
    model, batch = build(anchor_init="first_patient").train(), patients(1, outcomes=True)
    model(batch)
    torch.testing.assert_close(model.pathology.anchor, batch.centres[:, 0])


def test_prediction_changes_no_state_and_has_no_losses(build, patients):
    model = build().eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert model(patients(4)).aux == {}
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], atol=0, rtol=0)


def test_the_cohort_weight_scales_the_cohort_losses(build, patients):
    losses = [build(cohort_weight=weight).train()(patients(1, outcomes=True)).aux["knowledge"] for weight in (1, 3)]
    assert losses[1].item() == pytest.approx(3 * losses[0].item(), rel=1e-5)


def test_all_state_has_an_axis_of_replicas(build):
    state = build(seeds=(0, 1, 2)).state_dict()
    assert {"pathology.anchor", "bank.rows", "bank.groups", "bank.counts", "group_edges"} <= set(state)
    assert {value.shape[0] for value in state.values()} == {3}


def test_alignment_brings_the_centres_of_patients_together(build, patients):
    model, batch = build(seeds=(0, 1)), patients(1)
    base = batch.centres[0, 0] * 5
    orders = [[0, 1, 2], [2, 0, 1], [1, 2, 0], [0, 2, 1]]
    centres = torch.stack([base[order] for order in orders])[None] + 0.01 * torch.randn(1, 4, 3, 10)
    facts = model.eval().describe(Batch(patients(4).genomics, centres, None))
    assert (facts["distance_after_alignment"] < 0.1).all()
    places = [(base[a] - base[b]).norm(dim=-1) for i, a in enumerate(orders) for b in orders[i + 1 :]]
    expected = torch.stack(places).mean().expand(2)
    torch.testing.assert_close(facts["distance_before_alignment"], expected, atol=0.05, rtol=0.01)


@pytest.mark.parametrize("count", [2, None])
def test_what_ccl_cannot_train_on_is_refused(build, patients, count):
    batch = patients(2, outcomes=True) if count else Batch(patients(1).genomics, None, None)
    with pytest.raises(ModelError, match="one patient at a time"):
        build().train()(batch)


def test_centres_of_another_size_are_refused(build, patients):
    batch = patients(2)
    with pytest.raises(ModelError, match=r"3 centres of 9 features[\s\S]*3 centres of 10 features"):
        build().eval()(Batch(batch.genomics, batch.centres[..., :9], None))


@pytest.mark.parametrize(
    "options", [{"decompose": False}, {"groups_by": "intervals", "groups": 6}, {"preset": "released", "groups": 2}]
)
def test_options_that_contradict_each_other_are_refused(build, options):
    with pytest.raises(ConfigError, match=r"models: ccl: cohort guidance needs [^\n]*where: guide|where: +groups"):
        build(**options)
