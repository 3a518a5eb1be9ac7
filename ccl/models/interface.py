"""What goes into every survival method and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The sizes of the data that a method is built for."""

    families: tuple[int, ...]
    """Columns of each gene family."""
    intervals: int
    """Survival intervals n."""
    clusters: int
    """Centres k of a patient; 0 for a method that reads no slides."""
    features: int
    """Width D of a centre; 0 for a method that reads no slides."""


@dataclass(frozen=True)
class Outcomes:
    """What became of B patients."""

    labels: Tensor
    """(B,) int64 survival interval, 0 to n-1."""
    censorship: Tensor
    """(B,) float, 1 = censored, 0 = death observed."""


@dataclass(frozen=True)
class Batch:
    """B patients."""

    genomics: tuple[Tensor, ...]
    """Per family (B, n_f) scaled values."""
    centres: Tensor | None
    """(B, k, D) cluster centres, for methods that read them."""
    outcomes: Outcomes | None
    """Only in training."""


@dataclass(frozen=True)
class Output:
    """What a method says of B patients."""

    logits: Tensor
    """(B, n): the hazard of interval k is ``sigmoid(logits[:, k])``."""
    aux: Mapping[str, Tensor] = field(default_factory=dict)
    """The method's own losses by name, already weighted, to be added to the likelihood; only in training."""


class SurvivalModel(nn.Module):
    """Base of all methods.

    State that is not learnt by gradient (an anchor, a bank) is a registered buffer changed in place, and only in
    training, so that a stored model is complete and a model in evaluation mode is a function of its input.
    """

    def forward(self, batch: Batch) -> Output:
        """Return logits and losses for a batch."""
        raise NotImplementedError


def survival(logits: Tensor) -> Tensor:
    """Return the survival function (B, n): S_k is the product of ``1 - hazard`` up to interval k."""
    return torch.cumprod(1 - torch.sigmoid(logits), dim=1)


def risk(logits: Tensor) -> Tensor:
    """Return the risk (B,), the negative sum of the survival function: -n (safe) to 0."""
    return -survival(logits).sum(dim=1)
