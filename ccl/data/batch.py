"""What a network is given: sizes, outcomes and values of patients, with a leading axis S of replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

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
    vectors: int = 0
    """Width D of a patient's vector; 0 for a method that reads none."""
    tables: tuple[tuple[int, ...], ...] = ()
    """Per family, the number of each column's omics table, 0 to T - 1; empty if every patient is complete."""

    @property
    def incomplete(self) -> bool:
        """Whether patients may lack slides or omics tables, so that batches say what each patient has."""
        return bool(self.tables)

    @property
    def n_tables(self) -> int:
        """Number T of omics tables; 0 if every patient is complete."""
        return 1 + max((table for family in self.tables for table in family), default=-1)

    @property
    def lacks_slides(self) -> bool:
        """Whether patients may lack slides."""
        return self.incomplete and self.features > 0

    def entries(self) -> dict[str, Any]:
        """Return the sizes for a JSON file; `tables` only if patients may be incomplete, `vectors` only if read."""
        return {name: value for name, value in asdict(self).items() if name not in ("tables", "vectors") or value}

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> Shape:
        """Return the shape of :meth:`entries`."""
        tables = tuple(map(tuple, entries.get("tables", ())))
        return cls(**{**entries, "families": tuple(entries["families"]), "tables": tables})


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
class Present:
    """What patients have of what a method reads: True where the patient has the part.

    In a batch of B patients of S replicas the axes are (S, B), in :class:`ccl.data.patients.PatientData` (P,).
    """

    tables: Tensor
    """(..., T) bool, the omics tables."""
    slides: Tensor | None
    """(...) bool; None for a method that reads no slides."""

    @property
    def genes(self) -> Tensor:
        """(...) bool, whether a patient is in any omics table."""
        return self.tables.any(dim=-1)

    def map(self, change: Callable[[Tensor], Tensor]) -> Present:
        """Return both with `change` applied, which leaves the axis of the tables alone."""
        return Present(change(self.tables), None if self.slides is None else change(self.slides))


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
    """(S, N, D) all patches of one patient (then B = 1), in the order of the files; for methods that read bags.  N is 0
    for a patient without slides."""
    clinical: Tensor | None = None
    """(S, B, C) scaled covariates, for methods that read them."""
    vectors: Tensor | None = None
    """(S, B, D) scaled vectors of patients, for methods that read them."""
    present: Present | None = None
    """What each patient has; None if every patient is complete.  Values of a missing part mean nothing."""

    def one(self, number: int) -> Batch:
        """Return one patient of each replica, B = 1, without its bag."""
        own = slice(number, number + 1)
        return Batch(
            tuple(family[:, own] for family in self.genomics),
            None if self.centres is None else self.centres[:, own],
            None if self.outcomes is None else self.outcomes.one(number),
            clinical=None if self.clinical is None else self.clinical[:, own],
            vectors=None if self.vectors is None else self.vectors[:, own],
            present=None if self.present is None else self.present.map(lambda part: part[:, own]),
        )
