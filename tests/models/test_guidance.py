"""Cohort guidance against the stored numbers of the published code, and the bank as a queue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ccl.models.guidance import CohortBank, knowledge_loss

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("cohort_*.npz"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path):
    case = {key: torch.from_numpy(np.asarray(value)) for key, value in np.load(path).items()}
    groups, width = 4, case["components"].shape[2]
    bank = CohortBank(groups, 10, width).double()
    for group in range(groups):
        for row in case[f"bank{group}"]:
            bank.append(row, torch.tensor(group))
    components = case["components"].requires_grad_()
    genomic, pathology = case["geno"][0].requires_grad_(), case["path"][0].requires_grad_()

    knowledge = knowledge_loss(components, genomic, pathology)
    patient = bank.patient_loss(components[0], case["label"], case["censorship"])
    (knowledge + patient).backward()

    torch.testing.assert_close(knowledge, case["loss_intra"], atol=1e-9, rtol=0)
    torch.testing.assert_close(8 * (knowledge - 1), case["l_k_equation4"], atol=1e-8, rtol=0)
    torch.testing.assert_close(patient, case["loss_inter"], atol=1e-9, rtol=0)
    torch.testing.assert_close(components.grad, case["grad_components"], atol=1e-9, rtol=0)
    assert genomic.grad is None
    assert pathology.grad is None


def test_all_golden_cases_are_there():
    assert len(GOLDEN) == 10


def test_the_bank_keeps_the_last_patients_of_each_interval():
    bank = CohortBank(2, 3, 1)
    for number, label in enumerate([0, 1, 0, 0, 0, 1]):
        bank.append(torch.full((4, 1), float(number)), torch.tensor(label))
    assert bank.rows[0, :, 0, 0].tolist() == [2, 3, 4]
    assert bank.counts.tolist() == [3, 2]
    assert bank.rows[1, 1:, 0, 0].tolist() == [1, 5]


def test_the_bank_remembers_no_gradient():
    bank, components = CohortBank(2, 3, 5), torch.randn(4, 5, requires_grad=True)
    bank.append(components, torch.tensor(1))
    assert not bank.rows.requires_grad


@pytest.mark.parametrize("censorship", [0.0, 1.0])
def test_a_bank_without_others_gives_no_loss_and_a_finite_gradient(censorship):
    bank, components = CohortBank(2, 3, 5), torch.randn(4, 5, requires_grad=True)
    bank.append(components, torch.tensor(0))
    loss = bank.patient_loss(components, torch.tensor(0), torch.tensor(censorship))
    loss.backward()
    assert loss == 0
    assert (components.grad == 0).all()


@pytest.mark.parametrize("place", range(3))
def test_each_component_is_drawn_to_its_own_sources_and_away_from_others(place):
    # Genomics lies along the first axis and pathology along the second; one component moves along the axes.
    genomic, pathology = torch.eye(3)[:1], torch.eye(3)[1:2]
    nowhere = torch.zeros(1, 4, 3)
    for component, (pull_g, pull_p) in enumerate([(-1, -1), (1, 1), (-1, 1), (1, -1)]):
        moved = nowhere.clone()
        moved[0, component, place] = 1
        term = 8 * (knowledge_loss(moved, genomic, pathology) - 1)
        assert term == pytest.approx((pull_g, pull_p, 0)[place], abs=1e-6)
