"""Cohort guidance: the stored numbers of the published code, the equations as printed, the bank as a queue."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ccl.io.errors import ConfigError
from ccl.methods.ccl.guidance import CohortBank, KnowledgeLoss, PatientLoss, group_edges, group_of

GOLDEN = sorted((Path(__file__).parents[2] / "golden").glob("cohort_*.npz"))
NAMES = ("common", "synergy", "genomic", "pathology")
RELEASED = PatientLoss(similarity="elementwise", reduction="mean", per_component=False)


def fill(bank, banks):
    """Store the rows of each group's bank; return where the last row of each group lies."""
    places = {}
    for group, rows in enumerate(banks):
        for row in rows:
            places[group] = bank.append(row[None], torch.tensor([group]))
    return places


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path):
    case = {key: torch.from_numpy(np.asarray(value)) for key, value in np.load(path).items()}
    bank = CohortBank(1, 4, 10, shape=(4, case["components"].shape[2]), per_group=True).double()
    places = fill(bank, [case[f"bank{group}"] for group in range(4)])
    components = case["components"].requires_grad_()
    sources = torch.stack([case["geno"][0], case["path"][0]], dim=1)[None].requires_grad_()

    label = case["label"][None]
    knowledge = KnowledgeLoss(NAMES, terms="GPCS", reduction="mean")(components[None], sources)
    patient = RELEASED(components, label, case["censorship"][None], bank, places[int(label)])
    (knowledge + patient).sum().backward()

    torch.testing.assert_close(knowledge[0], case["loss_intra"], atol=1e-9, rtol=0)
    torch.testing.assert_close(patient[0], case["loss_inter"], atol=1e-9, rtol=0)
    torch.testing.assert_close(components.grad, case["grad_components"], atol=1e-9, rtol=0)
    assert sources.grad is None
    printed = KnowledgeLoss(NAMES, terms="GPCS", reduction="sum")(components[None], sources)
    torch.testing.assert_close(printed[0], case["l_k_equation4"], atol=1e-8, rtol=0)


def test_all_golden_cases_are_there():
    assert len(GOLDEN) == 10


def stored(bank, group):
    """The numbers (one channel, one component) that the bank holds of a group."""
    return sorted(bank.rows[0, bank.groups[0] == group, 0, 0].tolist())


def test_a_bank_per_group_keeps_the_last_patients_of_each():
    bank = CohortBank(1, 2, 3, shape=(1, 1), per_group=True)
    for number, group in enumerate([0, 1, 0, 0, 0, 1]):
        bank.append(torch.full((1, 1, 1), float(number)), torch.tensor([group]))
    assert (stored(bank, 0), stored(bank, 1)) == ([2, 3, 4], [1, 5])


def test_a_bank_of_all_keeps_the_last_patients_whatever_their_group():
    bank = CohortBank(1, 2, 3, shape=(1, 1), per_group=False)
    for number, group in enumerate([0, 1, 0, 0, 0, 1]):
        bank.append(torch.full((1, 1, 1), float(number)), torch.tensor([group]))
    assert (stored(bank, 0), stored(bank, 1)) == ([3, 4], [5])


def test_the_bank_remembers_no_gradient():
    bank, components = CohortBank(1, 2, 3, shape=(4, 5), per_group=True), torch.randn(1, 4, 5, requires_grad=True)
    bank.append(components, torch.tensor([1]))
    assert not bank.rows.requires_grad


def similarity(kind, x, y):
    if kind == "elementwise":
        return np.exp(x * y / 2).mean()
    product = x @ y
    return math.exp((product / np.linalg.norm(x) / np.linalg.norm(y) if kind == "cosine" else product) / 2)


@given(
    st.sampled_from(["elementwise", "dot", "cosine"]),
    st.sampled_from(["sum", "mean"]),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(0, 2), min_size=1, max_size=6),
    st.integers(0, 2),
)
def test_the_patient_loss_is_equation_5_written_out(kind, reduction, per_component, censored, groups, own):
    rng = np.random.default_rng(len(groups) + own)
    rows, x = rng.normal(size=(len(groups), 2, 3)), rng.normal(size=(2, 3))
    bank = CohortBank(1, 3, 8, shape=(2, 3), per_group=False).double()
    for row, group in zip(rows, groups, strict=True):
        bank.append(torch.from_numpy(row)[None], torch.tensor([group]))
    loss = PatientLoss(similarity=kind, reduction=reduction, per_component=per_component)(
        torch.from_numpy(x)[None], torch.tensor([own]), torch.tensor([float(censored)]), bank
    )
    near = [row for row, group in zip(rows, groups, strict=True) if (group >= own if censored else group == own)]
    far = [row for row, group in zip(rows, groups, strict=True) if (group < own if censored else group != own)]
    expected = 0.0
    if near and far:
        gather = np.sum if reduction == "sum" else np.mean
        sets = [np.array([[similarity(kind, x[c], row[c]) for c in range(2)] for row in side]) for side in (near, far)]
        if not per_component:
            sets = [values.mean(axis=1, keepdims=True) for values in sets]
        plus, minus = (gather(values, axis=0) for values in sets)
        expected = -np.log(plus / (plus + minus)).sum()
    assert loss.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", ["elementwise", "dot"])
def test_products_that_would_overflow_give_finite_losses(kind):
    bank = CohortBank(1, 2, 4, shape=(2, 8), per_group=False)
    for group in (0, 1, 0):
        bank.append(torch.full((1, 2, 8), 40.0 - 60 * group), torch.tensor([group]))
    components = torch.full((1, 2, 8), 30.0, requires_grad=True)
    for group in (0, 1):
        loss = PatientLoss(similarity=kind, reduction="sum", per_component=True)(
            components, torch.tensor([group]), torch.zeros(1), bank
        )
        loss.sum().backward()
        assert torch.isfinite(loss).all()
        assert torch.isfinite(components.grad).all()


@pytest.mark.parametrize("censorship", [0.0, 1.0])
def test_a_bank_without_others_gives_no_loss_and_no_gradient(censorship):
    bank, components = CohortBank(1, 2, 3, shape=(4, 5), per_group=True), torch.randn(1, 4, 5, requires_grad=True)
    itself = bank.append(components, torch.tensor([0]))
    loss = RELEASED(components, torch.tensor([0]), torch.tensor([censorship]), bank, itself)
    loss.sum().backward()
    assert loss.item() == 0
    assert (components.grad == 0).all()


@pytest.mark.parametrize("place", range(3))
def test_each_component_is_drawn_to_its_own_sources_and_away_from_others(place):
    # Genomics lies along the first axis and pathology along the second; one component moves along the axes.
    sources = torch.eye(3)[:2].view(1, 1, 2, 3)
    nowhere = torch.zeros(1, 1, 5, 3)
    loss = KnowledgeLoss([*NAMES, "free"], terms="GPCS", reduction="sum")
    for component, (pull_g, pull_p) in enumerate([(-1, -1), (1, 1), (1 - 2, 1), (1, -1), (0, 0)]):
        moved = nowhere.clone()
        moved[0, 0, component, place] = 1
        assert loss(moved, sources).item() == pytest.approx((pull_g, pull_p, 0)[place], abs=1e-6)


@pytest.mark.parametrize(("terms", "left"), [("GPS", "common"), ("GPC", "synergy"), ("PCS", "genomic"), ("none", None)])
def test_a_term_that_is_off_leaves_the_others_as_they_were(terms, left):
    components, sources = torch.randn(1, 1, 4, 6), torch.randn(1, 1, 2, 6)
    for reduction, share in (("sum", 1.0), ("mean", 1 / 8)):
        off = KnowledgeLoss(NAMES, terms=terms, reduction=reduction)(components, sources)
        shift = 1.0 if reduction == "mean" else 0.0
        kept = [name for name in NAMES if name != left] if left else []
        cosine = torch.nn.functional.cosine_similarity(components[0, 0, :, None], sources[0, 0, None], dim=-1)
        signs = {"common": (-1, -1), "synergy": (1, 1), "genomic": (-1, 1), "pathology": (1, -1)}
        expected = sum(
            (value.abs() if sign > 0 else -value)
            for name, row in zip(NAMES, cosine, strict=True)
            if name in kept
            for sign, value in zip(signs[name], row, strict=True)
        )
        assert off.item() == pytest.approx(shift + share * float(expected), abs=1e-5)


def test_groups_by_time_are_of_equal_size():
    months = torch.tensor([5.0, 1.0, 9.0, 3.0, 7.0, 11.0, 2.0, 8.0])
    edges = group_edges(months, 4)
    assert torch.bincount(group_of(months, edges)).tolist() == [2, 2, 2, 2]
    assert group_of(torch.tensor([0.0, 100.0]), edges).tolist() == [0, 3]


def test_a_group_without_patients_is_refused():
    with pytest.raises(ConfigError, match="do not fill 3 risk groups"):
        group_edges(torch.tensor([4.0, 4.0, 4.0, 9.0]), 3)
    with pytest.raises(ConfigError, match="1 training patients"):
        group_edges(torch.tensor([4.0]), 2)
