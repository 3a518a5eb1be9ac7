"""The data of some patients as tensors, and the batches that networks are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.data.bags import Bags
from ccl.data.batch import Batch, Outcomes, Present
from ccl.data.intervals import interval_labels
from ccl.data.tables import Tables

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class PatientData:
    """What a method reads of P patients."""

    patients: tuple[str, ...]
    genomics: tuple[Tensor, ...]
    """Per family (P, n_f); empty for a method that reads no genes."""
    centres: Tensor | None
    """(P, k, D)"""
    bags: Bags | None = None
    clinical: Tensor | None = None
    """(P, C)"""
    vectors: Tensor | None = None
    """(P, D)"""
    present: Present | None = None
    """What each patient has, if incomplete patients are kept."""
    device: torch.device = CPU

    def batch(self) -> Batch:
        """Return all patients without their outcomes and bags: (1, P, ...)."""
        centres = None if self.centres is None else self.centres[None]
        clinical = None if self.clinical is None else self.clinical[None]
        present = None if self.present is None else self.present.map(lambda part: part[None])
        genomics = tuple(family[None] for family in self.genomics)
        vectors = None if self.vectors is None else self.vectors[None]
        return Batch(genomics, centres, outcomes=None, clinical=clinical, vectors=vectors, present=present)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches for a prediction: all patients at once, or one by one with their bags."""
        if self.bags is None:
            yield self.batch()
            return
        for number, bag in enumerate(self.bags.stream(range(len(self.patients)))):
            yield replace(self.batch().one(number), bag=bag)


def read_patients(
    tables: Tables, patients: Sequence[str], *, device: torch.device = CPU, keep_bags: bool = False
) -> PatientData:
    """Return the data of some patients, unscaled; NaN where a value is missing.

    Parameters
    ----------
    tables : Tables
        What the method reads.
    patients : sequence of str
        Patients that are not left out (:meth:`Tables.left_out`).
    device : torch.device
        Where the tensors are wanted.
    keep_bags : bool
        Keep each bag in memory after it was read.
    """
    bags, clinical, present = None, None, None
    centres, vectors = (
        None if found is None else torch.from_numpy(found).to(device)
        for found in (tables.centres_of(patients), tables.vectors_of(patients))
    )
    if tables.members is not None:
        bags = Bags([tables.members.bags.get(patient, ()) for patient in patients], device=device, keep=keep_bags)
    if tables.clinical is not None:
        clinical = torch.from_numpy(tables.clinical.coded(patients)).to(device)
    if tables.incomplete and tables.genomics is not None:
        slides = torch.from_numpy(tables.with_slides(patients)).to(device) if tables.reads_slides else None
        present = Present(torch.from_numpy(tables.in_tables(patients)).to(device), slides)
    return PatientData(
        patients=tuple(patients),
        genomics=tuple(torch.from_numpy(values).to(device) for values in tables.genes_of(patients)),
        centres=centres,
        bags=bags,
        clinical=clinical,
        vectors=vectors,
        present=present,
        device=device,
    )


@dataclass(frozen=True, kw_only=True)
class Side(PatientData):
    """The training or the test patients of a fold, sorted and scaled."""

    months: NDArray[np.float64]
    censorship: NDArray[np.int64]

    def outcomes(self, edges: NDArray[np.float64]) -> Outcomes:
        """Return the outcomes of all patients (1, P), in intervals between `edges` (months)."""
        columns = (
            interval_labels(self.months, edges),
            self.censorship.astype(np.float32),
            self.months.astype(np.float32),
        )
        return Outcomes(*(torch.from_numpy(values).to(self.device)[None] for values in columns))

    def draw(self, rows: Tensor, outcomes: Outcomes) -> Batch:
        """Return the patients in `rows` (S, B), which differ between replicas, with their `outcomes` (1, P)."""
        return Batch(
            tuple(family[rows] for family in self.genomics),
            None if self.centres is None else self.centres[rows],
            Outcomes(outcomes.labels[0][rows], outcomes.censorship[0][rows], outcomes.months[0][rows]),
            clinical=None if self.clinical is None else self.clinical[rows],
            vectors=None if self.vectors is None else self.vectors[rows],
            present=None if self.present is None else self.present.map(lambda part: part[rows]),
        )

    def sampling_weights(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weight (P,) of each patient that makes all classes of interval and censorship equally frequent."""
        classes = 2 * interval_labels(self.months, edges) + self.censorship
        weights: NDArray[np.float64] = 1.0 / np.bincount(classes)[classes]
        return weights
