"""The input and the output of every survival network.

A network is S replicas of one (:mod:`ccl.nn.replicas`): every tensor has a leading axis S.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ccl.data.batch import Batch, Outcomes
from ccl.io.errors import ModelError


@dataclass(frozen=True)
class Output:
    """The predictions of each replica for its B patients."""

    logits: Tensor
    """(S, B, n): the hazard of interval k is ``sigmoid(logits[..., k])``."""
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    """The method's own losses by name, (S,), already weighted, to be added to the likelihood; only in training."""


@dataclass(frozen=True)
class Attention:
    """The attention of each component of a method, by the component's name: shares with sum 1 over the last axis.

    A mapping is empty if the method does not distinguish patches, clusters or families.
    """

    patches: Mapping[str, Tensor] = field(default_factory=dict)
    """(S, N), of the batch's bag."""
    clusters: Mapping[str, Tensor] = field(default_factory=dict)
    """(S, B, k), in the order of the batch's centres."""
    families: Mapping[str, Tensor] = field(default_factory=dict)
    """(S, B, F)"""
    by_family: Tensor | None = None
    """(S, F, N), of the batch's bag: the attention of each family, if families query patches."""


class SurvivalModel(nn.Module):
    """Base of all networks: built from a :class:`Shape`, a ``Hyper`` and :class:`ccl.nn.replicas.Replicas`.

    State that is not learnt by gradient (an anchor, a bank) is a registered buffer (S, ...).  It changes in place, and
    only in training.  A stored network is therefore complete, and in evaluation mode it is a function of its input.
    """

    takes_clinical: ClassVar[bool] = False
    """Whether the network reads covariates itself; the others get a term of them (:mod:`ccl.methods.clinical`)."""

    takes_incomplete: ClassVar[bool] = False
    """Whether the network reads :attr:`Batch.present` itself; the others get learnt values in the place of missing ones
    (:mod:`ccl.methods.incomplete`)."""

    def begin(self, outcomes: Outcomes, clinical: Tensor | None = None) -> None:
        """Receive all training patients' outcomes, (1, P), and scaled covariates, (P, C), once before training."""

    def expect(self, batch: Batch) -> None:
        """Receive the patients of the next B training steps, in order, if the optimiser can use them."""

    def forward(self, batch: Batch) -> Output:
        """Return logits and losses for a batch."""
        raise NotImplementedError

    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return facts about a trained network on all training patients, for ``run.json``: numbers (S,) by name.

        For a method that reads bags, the batch has only the patients' genes.
        """
        return {}

    def attends_to(self, batch: Batch) -> Attention:
        """Return the attention of a trained network in evaluation mode for a batch (docs/explanation.md).

        Raises
        ------
        ModelError
            The method has no attention.
        """
        raise ModelError(
            "the method has no attention to show",
            expected="a method that weights patches, clusters or gene families",
            todo="explain a model of another method; docs/explanation.md lists those that can be explained",
        )

    def through(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the logits once for each component, by its name, with gradients only through this component.

        All are equal to those of :meth:`forward`, and their gradients add up to its gradient.
        """
        return {"whole": self(batch).logits}

    def decomposed(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return by name the components (S, B, d) of patients, from a trained network in evaluation mode.

        Raises
        ------
        ModelError
            The method has no components.
        """
        raise ModelError(
            "the method has no knowledge components",
            expected="a method with knowledge components",
            todo="show the components of a model of another method",
        )

    def risk_groups(self, outcomes: Outcomes) -> Tensor:
        """Return the risk group (S, B) of each patient by their outcome: int64, 0 has the shortest survival.

        By default it is the survival interval.
        """
        return outcomes.labels

    def reference(self, batch: Batch) -> Batch:
        """Return the average training patient, the baseline of a risk, in the layout of `batch` with its one patient.

        By default, it has average genes, covariates and vectors (zeros, because they are scaled) and the batch's own
        slides.
        """
        clinical, vectors = (None if own is None else torch.zeros_like(own) for own in (batch.clinical, batch.vectors))
        genomics = tuple(map(torch.zeros_like, batch.genomics))
        return replace(batch, genomics=genomics, clinical=clinical, vectors=vectors)


class ClosedForm(SurvivalModel):
    """A method that is fitted to all training patients at once, without epochs."""

    def solve(self, patients: Callable[[], Iterable[Batch]], outcomes: Outcomes) -> None:
        """Fit to all training patients and their outcomes (1, P), in the same order.

        `patients` starts a new pass over the patients, in batches (1, B, ...).
        """
        raise NotImplementedError


def survival(logits: Tensor) -> Tensor:
    """Return the survival function (..., n): S_k is the product of ``1 - hazard`` up to interval k."""
    return torch.cumprod(1 - torch.sigmoid(logits), dim=-1)


def risk(logits: Tensor) -> Tensor:
    """Return the risk (...,), the negative sum of the survival function: -n (safe) to 0."""
    return -survival(logits).sum(dim=-1)
