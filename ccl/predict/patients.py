"""The patients of a prediction: what they have of what the bundle's method reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.data.bags import Bags, check_bags
from ccl.data.fold import Tables
from ccl.io.errors import InputError, ModelError
from ccl.io.formats import FeaturesHead, Genomics
from ccl.predict.card import Card


@dataclass(frozen=True)
class Source:
    """What made the features of some patients."""

    encoder: str
    """As their files call it; ``none`` where no slides are read."""
    weights: str
    width: int
    clusters: int
    """k; 0 where no clusters are read."""


def source_of(tables: Tables) -> Source:
    """Return what made the features of a method's tables; bags must be alike."""
    if tables.clusters is not None:
        _, k, width = tables.clusters.centres.shape
        return Source(tables.clusters.encoder, tables.clusters.weights, width, k)
    if tables.members is not None and tables.members.bags:
        width, weights = check_bags(tables.members.bags, keep=False)
        first = next(iter(tables.members.bags.values()))[0]
        return Source(FeaturesHead.read(first.path).encoder, weights, width, 0)
    return Source("none", "none", 0, 0)


@dataclass(frozen=True)
class Patients:
    """P patients who have all that the method reads, sorted."""

    names: tuple[str, ...]
    genomics: tuple[NDArray[np.float32], ...]
    """Per family of the bundle (P, n_f), unscaled; NaN where missing."""
    tables: Tables
    left_out: Mapping[str, str]
    """The others, each with the reason."""
    absent: tuple[str, ...]
    """Columns of the bundle that the omics tables do not have."""

    def parts(
        self, device: torch.device
    ) -> Iterator[tuple[Sequence[NDArray[np.float32]], Tensor | None, Tensor | None]]:
        """Yield families (B, n_f), centres (1, B, k, D) and bag (1, N, D): of all at once, or of each with its bag."""
        if self.tables.members is not None:
            bags = Bags([self.tables.members.bags[name] for name in self.names], device=device, keep=False)
            for row, bag in enumerate(bags.stream(range(len(self.names)))):
                yield [values[row : row + 1] for values in self.genomics], None, bag
            return
        centres = None
        if self.tables.clusters is not None:
            own = self.tables.clusters.centres[self.tables.cluster_rows(self.names)]
            centres = torch.from_numpy(own).to(device)[None]
        yield self.genomics, centres, None


def mean_patches(tables: Tables, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean patch (P, D) of each of some patients; a cluster counts as often as it has patches."""
    if tables.clusters is not None:
        rows = tables.cluster_rows(names)
        sizes = tables.clusters.sizes[rows][..., None].astype(np.float64)
        means: NDArray[np.float64] = (sizes * tables.clusters.centres[rows]).sum(axis=1) / sizes.sum(axis=1)
        return means
    assert tables.members is not None, "only for methods that read slides"
    bags = Bags([tables.members.bags[name] for name in names], device=torch.device("cpu"), keep=False)
    return np.stack([bag[0].double().mean(dim=0).numpy() for bag in bags.stream(range(len(names)))])


def gather(tables: Tables, card: Card) -> Patients:
    """Return the patients that a bundle can judge, and who is left out.

    Genes are found by the names of their columns, in whatever family they are there.

    Raises
    ------
    InputError
        The features come from another encoder, other weights, or another number of clusters; or the omics tables have
        no column of a gene family.
    ModelError
        Nobody has what the method reads.
    """
    _check_source(source_of(tables), card)
    left_out = tables.left_out(sorted(_everybody(tables)))
    names = [name for name in sorted(_everybody(tables)) if name not in left_out]
    genomics, absent = _genes(tables, names, card)
    empty = {
        names[row]: f"no value of the gene family {family}"
        for family, values in zip(card.families, genomics, strict=True)
        for row in np.flatnonzero(np.isnan(values).all(axis=1))
    }
    kept = [row for row, name in enumerate(names) if name not in empty]
    left_out |= empty
    if not kept:
        raise ModelError(
            "no patient has what the method reads",
            found="; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3]) or "no patients",
            expected=f"patients with {' and '.join(card.reads)}",
            todo="check that the tables and the sample sheet name the patients alike",
        )
    return Patients(
        tuple(names[row] for row in kept),
        tuple(values[kept] for values in genomics),
        tables,
        dict(sorted(left_out.items())),
        absent,
    )


def _everybody(tables: Tables) -> set[str]:
    groups: list[Sequence[str] | Mapping[str, object]] = []
    if tables.genomics is not None:
        groups.append(tables.genomics.patients)
    if tables.clusters is not None:
        groups += [tables.clusters.patients, tables.clusters.left_out]
    if tables.members is not None:
        groups += [tables.members.bags, tables.members.excluded]
    return set().union(*groups)


def _check_source(source: Source, card: Card) -> None:
    known = Source(card.features_encoder, card.weights, card.shape["features"], card.shape["clusters"])
    pairs = {
        "encoder": (source.encoder, known.encoder),
        "width of the features": (source.width, known.width),
        "number of clusters": (source.clusters, known.clusters),
    }
    # Features of several origins may make up a cohort; each has to be one of those that were trained on.
    if not set(source.weights.split(", ")) <= set(known.weights.split(", ")):
        pairs["weights of the encoder"] = (source.weights, known.weights)
    for what, (found, expected) in pairs.items():
        if found != expected:
            raise InputError(
                f"the patients' features have another {what} than the bundle's",
                where=f"bundle of {card.model}, trained with {card.encoder}",
                found=str(found),
                expected=str(expected),
                todo="make the features as those of the training cohort were made",
            )


def _genes(tables: Tables, names: Sequence[str], card: Card) -> tuple[list[NDArray[np.float32]], tuple[str, ...]]:
    """Return the values (P, n_f) of each of the bundle's families, and the columns that are nowhere."""
    if tables.genomics is None:
        return [], ()
    rows = tables.genomic_rows(names)
    known = {
        column: family.values[rows, number]
        for family in tables.genomics.families
        for number, column in enumerate(family.columns)
    }
    nothing = np.full(len(rows), np.nan, dtype=np.float32)
    for family, columns in card.families.items():
        if not known.keys() & set(columns):
            raise _no_family(tables.genomics, family, columns)
    values = [np.column_stack([known.get(column, nothing) for column in columns]) for columns in card.families.values()]
    wanted = dict.fromkeys(column for columns in card.families.values() for column in columns)
    return values, tuple(column for column in wanted if column not in known)


def _no_family(genomics: Genomics, family: str, columns: Sequence[str]) -> InputError:
    there = [column for each in genomics.families for column in each.columns]
    return InputError(
        "the omics tables have no column of a gene family",
        where=f"gene family {family} of the bundle",
        found=f"columns such as {', '.join(there[:4])}",
        expected=f"columns such as {', '.join(columns[:4])}",
        todo="give the tables that the training cohort had: the same kinds of omics, the same gene symbols",
    )
