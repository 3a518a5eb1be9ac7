"""The patients of a prediction, matched to what the networks of a bundle were trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ccl.data.bags import check_bags
from ccl.data.patients import read_patients
from ccl.data.tables import Tables
from ccl.io.covariates import Clinical, Covariate
from ccl.io.errors import InputError, ModelError
from ccl.io.formats import Family, FeaturesHead, Genomics
from ccl.predict.card import Card


@dataclass(frozen=True)
class Source:
    """The origin of some patients' features."""

    encoder: str
    """Name of the encoder in the files; ``none`` if no slides are read."""
    weights: str
    width: int
    clusters: int
    """Number of clusters k; 0 if no clusters are read."""


def source_of(tables: Tables) -> Source:
    """Return the origin of the features in a method's tables; bags must be of one kind."""
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
    """The P patients who have all that the method reads, sorted."""

    names: tuple[str, ...]
    tables: Tables
    """Tables with the gene families and columns of the bundle; missing values are NaN."""
    left_out: Mapping[str, str]
    """Reason for each patient who cannot be predicted."""
    absent: tuple[str, ...]
    """Columns of the bundle that the omics tables do not have."""

    @property
    def genomics(self) -> list[NDArray[np.float32]]:
        """The unscaled values (P, n_f) of each family of the bundle."""
        rows = self.tables.genomic_rows(self.names)
        return [family.values[rows] for family in self.tables.families]


def mean_patches(tables: Tables, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean patch (P, D) of each of some patients; cluster centres are weighted by their patches."""
    if tables.clusters is not None:
        rows = tables.cluster_rows(names)
        sizes = tables.clusters.sizes[rows][..., None].astype(np.float64)
        means: NDArray[np.float64] = (sizes * tables.clusters.centres[rows]).sum(axis=1) / sizes.sum(axis=1)
        return means
    batches = read_patients(replace(tables, genomics=None), names).batches()
    return np.stack([batch.bag[0].double().mean(dim=0).numpy() for batch in batches if batch.bag is not None])


def match_patients(tables: Tables, card: Card) -> Patients:
    """Return the patients that the networks of a bundle can predict, and the patients left out.

    Genes are found by the names of their columns, in any family; covariates by their names.

    Raises
    ------
    InputError
        The features come from another encoder, other weights, or another number of clusters; or the omics tables have
        no column of a gene family; or a covariate is missing or coded differently.
    ModelError
        No patient has what the method reads.
    """
    _check_source(source_of(tables), card)
    genomics, absent = (None, ()) if tables.genomics is None else _match_genes(tables.genomics, card)
    clinical = None if tables.clinical is None else _match_covariates(tables.clinical, card)
    tables = replace(tables, genomics=genomics, clinical=clinical)
    left_out = tables.left_out(sorted(_everybody(tables)))
    names = [name for name in sorted(_everybody(tables)) if name not in left_out]
    rows = tables.genomic_rows(names)
    for family in tables.families:
        for row in np.flatnonzero(np.isnan(family.values[rows]).all(axis=1)):
            left_out[names[row]] = f"no value of the gene family {family.name}"
    kept = tuple(name for name in names if name not in left_out)
    if not kept:
        raise ModelError(
            "no patient has what the method reads",
            found="; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3]) or "no patients",
            expected=f"patients with {' and '.join(card.reads)}",
            todo="check that the tables and the sample sheet name the patients alike",
        )
    return Patients(kept, tables, dict(sorted(left_out.items())), absent)


def _everybody(tables: Tables) -> set[str]:
    groups: list[Sequence[str] | Mapping[str, object]] = []
    if tables.genomics is not None:
        groups.append(tables.genomics.patients)
    if tables.clinical is not None:
        groups.append(tables.clinical.patients)
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
    # A cohort may mix features from several weights.  All of them must be among those of the training.
    if not set(source.weights.split(", ")) <= set(known.weights.split(", ")):
        pairs["weights of the encoder"] = (source.weights, known.weights)
    for what, (found, expected) in pairs.items():
        if found != expected:
            raise InputError(
                f"the patients' features and the bundle differ in the {what}",
                where=f"bundle of {card.model}, trained with {card.encoder}",
                found=str(found),
                expected=str(expected),
                todo="make the features in the same way as those of the training cohort",
            )


def _match_genes(genomics: Genomics, card: Card) -> tuple[Genomics, tuple[str, ...]]:
    """Return the omics with the families and columns of a bundle, and the columns that are absent."""
    known = {
        column: family.values[:, number] for family in genomics.families for number, column in enumerate(family.columns)
    }
    for name, columns in card.families.items():
        if not known.keys() & set(columns):
            raise _no_family(genomics, name, columns)
    missing = np.full(len(genomics.patients), np.nan, dtype=np.float32)
    families = tuple(
        Family(name, tuple(columns), np.column_stack([known.get(column, missing) for column in columns]))
        for name, columns in card.families.items()
    )
    wanted = dict.fromkeys(column for columns in card.families.values() for column in columns)
    return replace(genomics, families=families), tuple(column for column in wanted if column not in known)


def _match_covariates(clinical: Clinical, card: Card) -> Clinical:
    """Return the covariates of a bundle, which must be coded as in training; only their units may differ."""
    known = {covariate.name: covariate for covariate in clinical.covariates}
    trained = tuple(map(Covariate.of, card.covariates))
    for covariate in trained:
        here = known.get(covariate.name)
        if here is None or replace(here, unit=covariate.unit) != covariate:
            raise InputError(
                "a covariate is not coded as in the bundle",
                where=f"clinical: covariates: {covariate.name}",
                found="no such covariate" if here is None else _coding(here),
                expected=_coding(covariate),
                todo="declare the covariate as in the config of the training cohort",
            )
    return replace(clinical, covariates=trained)


def _coding(covariate: Covariate) -> str:
    levels = f", levels {', '.join(covariate.levels)}" if covariate.levels else ""
    return covariate.kind + levels + ", with an indicator" * covariate.indicator


def _no_family(genomics: Genomics, family: str, columns: Sequence[str]) -> InputError:
    there = [column for each in genomics.families for column in each.columns]
    return InputError(
        "the omics tables have no column of a gene family",
        where=f"gene family {family} of the bundle",
        found=f"columns such as {', '.join(there[:4])}",
        expected=f"columns such as {', '.join(columns[:4])}",
        todo="give the tables that the training cohort had: the same kinds of omics, the same gene symbols",
    )
