"""What goes into every survival method and what comes out.

A method is S replicas of one network (:mod:`ccl.nn.replicas`): every tensor has a leading axis S.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ccl.data.batch import Batch, Outcomes
from ccl.io.errors import ModelError


@dataclass(frozen=True)
class Output:
    """What each replica says of its B patients."""

    logits: Tensor
    """(S, B, n): the hazard of interval k is ``sigmoid(logits[..., k])``."""
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    """The method's own losses by name, (S,), already weighted, to be added to the likelihood; only in training."""


@dataclass(frozen=True)
class Attention:
    """What each component of a method attends to, by the component's name: shares that sum to one over the last axis.

    A method that does not choose between patches, clusters or families has no shares of these.
    """

    patches: Mapping[str, Tensor] = field(default_factory=dict)
    """(S, N), of the batch's bag."""
    clusters: Mapping[str, Tensor] = field(default_factory=dict)
    """(S, B, k), in the order of the batch's centres."""
    families: Mapping[str, Tensor] = field(default_factory=dict)
    """(S, B, F)"""
    by_family: Tensor | None = None
    """(S, F, N), of the batch's bag: what each family attends to by itself, where families ask for patches."""


class SurvivalModel(nn.Module):
    """Base of all methods: built from a :class:`Shape`, a ``Hyper`` and :class:`ccl.nn.replicas.Replicas`.

    State that is not learnt by gradient (an anchor, a bank) is a registered buffer (S, ...) changed in place, and
    only in training, so that a stored model is complete and a model in evaluation mode is a function of its input.
    """

    def begin(self, outcomes: Outcomes) -> None:
        """Take note of all training patients' outcomes, (1, P), once before training."""

    def expect(self, batch: Batch) -> None:
        """Take note of the patients of the next B training steps; then each step's batch is one of them, in order."""

    def forward(self, batch: Batch) -> Output:
        """Return logits and losses for a batch."""
        raise NotImplementedError

    def describe(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return what is worth reporting of a trained method on all training patients: numbers (S,) by name.

        A method that reads bags is given the patients' genes alone.
        """
        return {}

    def attends_to(self, batch: Batch) -> Attention:
        """Return what a trained method attends to in a batch; in evaluation mode (docs/explanation.md).

        Raises
        ------
        ModelError
            The method has no attention.
        """
        raise ModelError(
            "the method has no attention to show",
            found=type(self).__module__.rpartition(".")[2],
            expected="a method that weighs patches, clusters or gene families",
            todo="explain a model of another method; docs/explanation.md lists those that can be explained",
        )

    def through(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the logits once for each component, by its name; gradients pass through this component alone.

        All are equal to those of :meth:`forward`, and their gradients add up to its gradient.
        """
        return {"whole": self(batch).logits}

    def decomposed(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the vectors (S, B, d) that a trained method decomposes patients into, by name; in evaluation mode.

        Raises
        ------
        ModelError
            The method has no components.
        """
        raise ModelError(
            "the method does not decompose what it knows of a patient",
            found=type(self).__module__.rpartition(".")[2],
            expected="a method with knowledge components",
            todo="show the components of a model of the method ccl",
        )

    def risk_groups(self, outcomes: Outcomes) -> Tensor:
        """Return the group (S, B) that each patient belongs to by their outcome: int64, 0 has the shortest survival.

        By default their survival interval.
        """
        return outcomes.labels

    def reference(self, batch: Batch) -> Batch:
        """Return the average training patient, laid out like the one patient of `batch`: what a risk is compared with.

        By default average in its genes, which are scaled, and with the batch's own slides.
        """
        return replace(batch, genomics=tuple(torch.zeros_like(values) for values in batch.genomics))


class ClosedForm(SurvivalModel):
    """A method that is fitted to all training patients at once, without epochs."""

    def solve(self, patients: Iterable[Batch], outcomes: Outcomes) -> None:
        """Fit to all training patients, (1, B, ...) a batch, and their outcomes (1, P) in the same order."""
        raise NotImplementedError


def survival(logits: Tensor) -> Tensor:
    """Return the survival function (..., n): S_k is the product of ``1 - hazard`` up to interval k."""
    return torch.cumprod(1 - torch.sigmoid(logits), dim=-1)


def risk(logits: Tensor) -> Tensor:
    """Return the risk (...,), the negative sum of the survival function: -n (safe) to 0."""
    return -survival(logits).sum(dim=-1)
