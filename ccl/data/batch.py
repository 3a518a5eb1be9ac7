"""What a network is given: sizes, outcomes and values of patients, with a leading axis S of replicas."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """The sizes of the data that a method is built for."""

    families: tuple[int, ...]
    """Columns of each gene family; empty for a method that reads no genes."""
    intervals: int
    """Survival intervals n."""
    clusters: int
    """Centres k of a patient; 0 for a method that reads no clusters."""
    features: int
    """Width D of a patch or a centre; 0 for a method that reads no slides."""
    clinical: int = 0
    """Number C of the covariates' columns; 0 for a method that reads none."""


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of B patients of each replica."""

    labels: Tensor
    """(S, B) int64 survival interval, 0 to n-1."""
    censorship: Tensor
    """(S, B) float, 1 = censored, 0 = death observed."""
    months: Tensor
    """(S, B) float follow-up."""

    def one(self, number: int) -> Outcomes:
        """Return those of one patient, (S, 1)."""
        own = slice(number, number + 1)
        return Outcomes(self.labels[:, own], self.censorship[:, own], self.months[:, own])


@dataclass(frozen=True)
class Batch:
    """B patients of each of S replicas: in training each has its own; otherwise all have the same, given as S = 1."""

    genomics: tuple[Tensor, ...]
    """Per family (S, B, n_f) scaled values."""
    centres: Tensor | None
    """(S, B, k, D) cluster centres, for methods that read them."""
    outcomes: Outcomes | None
    """Only in training."""
    bag: Tensor | None = None
    """(S, N, D) all patches of one patient (then B = 1), in the order of the files; for methods that read bags."""
    clinical: Tensor | None = None
    """(S, B, C) scaled covariates, for methods that read them."""

    def one(self, number: int) -> Batch:
        """Return one patient of each replica, B = 1, without its bag."""
        own = slice(number, number + 1)
        return Batch(
            tuple(family[:, own] for family in self.genomics),
            None if self.centres is None else self.centres[:, own],
            None if self.outcomes is None else self.outcomes.one(number),
            clinical=None if self.clinical is None else self.clinical[:, own],
        )
