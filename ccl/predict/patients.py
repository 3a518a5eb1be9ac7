"""The patients of a prediction, matched to what the networks of a bundle were trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ccl.config.sections import Expression
from ccl.data.bags import check_bags
from ccl.data.batch import Shape
from ccl.data.patients import read_patients
from ccl.data.tables import Tables, kind_of, read_tables
from ccl.io.bags import Members
from ccl.io.covariates import Clinical, Covariate
from ccl.io.errors import InputError, ModelError
from ccl.io.formats import Clusters, Family, FeaturesHead, Genomics
from ccl.predict.card import Card
from ccl.predict.expression import GeneSummary, check_expression, to_training_scale


@dataclass(frozen=True)
class Source:
    """The origin of some patients' features."""

    encoder: str
    """Name of the encoder in the files; ``none`` if neither slides nor vectors are read."""
    weights: str
    width: int
    clusters: int
    """Number of clusters k; 0 if no clusters are read."""
    columns: tuple[str, ...] = ()
    """Columns of a table of vectors."""


def source_of(tables: Tables) -> Source:
    """Return the origin of the features in a method's tables; bags must be of one kind."""
    if tables.clusters is not None:
        _, k, width = tables.clusters.centres.shape
        return Source(tables.clusters.encoder, tables.clusters.weights, width, k)
    if tables.vectors is not None:
        vectors = tables.vectors
        return Source(vectors.encoder, vectors.weights, vectors.values.shape[1], 0, vectors.columns)
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
        return self.tables.genes_of(self.names)

    @cached_property
    def lacking(self) -> Mapping[str, str]:
        """What incomplete patients lack; none if the bundle predicts only complete ones."""
        return self.tables.lacking(self.names) if self.tables.incomplete else {}


def mean_patches(tables: Tables, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean patch (P, D), or the vector, of some patients; cluster centres are weighted by their patches."""
    vectors = tables.vectors_of(names)
    if vectors is not None:
        return vectors.astype(np.float64)
    if tables.clusters is not None:
        rows = tables.cluster_rows(names)
        sizes = tables.clusters.sizes[rows][..., None].astype(np.float64)
        means: NDArray[np.float64] = (sizes * tables.clusters.centres[rows]).sum(axis=1) / sizes.sum(axis=1)
        return means
    batches = read_patients(replace(tables, genomics=None), names).batches()
    return np.stack([batch.bag[0].double().mean(dim=0).numpy() for batch in batches if batch.bag is not None])


def read_new(card: Card, **files: Any) -> Tables:
    """Read what a bundle needs of new patients.

    If it predicts incomplete patients, the omics or the slides of all patients may be missing; then these are tables
    without patients.

    Parameters
    ----------
    card : Card
        The bundle.
    **files
        As :func:`ccl.data.tables.read_tables` takes them.

    Raises
    ------
    ConfigError
        A file that is needed is not given.
    """
    sources = {"genomics": files["genomics"], "clusters": files["clusters"], "bags": files["slides"]}
    given = [read for read in card.reads if read in sources and sources[read] is not None]
    reads = card.reads
    if card.incomplete and given:
        reads = tuple(read for read in reads if read in given or read in ("clinical", "vectors"))
    tables = read_tables(reads, **files, incomplete=card.incomplete)
    absent = set(card.reads) - set(reads)
    return replace(
        tables,
        genomics=_no_genes(card) if "genomics" in absent else tables.genomics,
        clusters=_no_clusters(card) if "clusters" in absent else tables.clusters,
        members=Members({}, {}) if "bags" in absent else tables.members,
    )


def _no_genes(card: Card) -> Genomics:
    families = [
        Family(name, tuple(columns), np.empty((0, len(columns)), np.float32)) for name, columns in card.families.items()
    ]
    return Genomics((), tuple(families))


def _no_clusters(card: Card) -> Clusters:
    k, width = card.shape["clusters"], card.shape["features"]
    centres, sizes = np.empty((0, k, width), np.float32), np.empty((0, k), np.int64)
    return Clusters((), centres, sizes, {}, card.features_encoder, card.weights, {})


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
    source = source_of(tables)
    if not (card.incomplete and source.encoder == "none"):
        _check_source(source, card)
    genomics, absent = (None, ()) if tables.genomics is None else _match_genes(tables.genomics, card)
    clinical = None if tables.clinical is None else _match_covariates(tables.clinical, card)
    tables = replace(tables, genomics=genomics, clinical=clinical)
    left_out = tables.left_out(sorted(_everybody(tables)))
    names = [name for name in sorted(_everybody(tables)) if name not in left_out]
    left_out |= _without_a_family(tables, names)
    kept = tuple(name for name in names if name not in left_out)
    if not kept:
        raise ModelError(
            "no patient has what the method reads",
            found="; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3]) or "no patients",
            expected=f"patients with {' and '.join(card.reads)}",
            todo="check that the tables and the sample sheet name the patients alike",
        )
    return Patients(kept, tables, dict(sorted(left_out.items())), absent)


def on_training_scale(patients: Patients, trained: Sequence[GeneSummary] | None, how: Expression) -> Patients:
    """Return the patients with their expression on the scale of the training (:func:`to_training_scale`).

    Raises
    ------
    ConfigError
        The bundle or the patients do not allow it.
    """
    genomics = patients.tables.genomics
    if genomics is None or how == "as-is":
        return patients
    rows = np.isin(genomics.patients, patients.names)
    check_expression(how, int(rows.sum()), recorded=trained is not None)
    families = tuple(
        replace(family, values=to_training_scale(family.values[rows], family.columns, summary, how))
        for family, summary in zip(genomics.families, trained or (), strict=True)
    )
    names = tuple(np.array(genomics.patients)[rows].tolist())
    return replace(
        patients, tables=replace(patients.tables, genomics=replace(genomics, patients=names, families=families))
    )


def _without_a_family(tables: Tables, names: Sequence[str]) -> dict[str, str]:
    """Return the reason for each patient without a value of a gene family whose omics tables they are in."""
    found: dict[str, str] = {}
    there = tables.in_tables(names)
    for family, values, numbers in zip(tables.families, tables.genes_of(names), tables.table_numbers, strict=True):
        empty = np.isnan(values).all(axis=1)
        if tables.incomplete:
            empty &= there[:, sorted(set(numbers))].any(axis=1)
        found |= {names[int(row)]: f"no value of the gene family {family.name}" for row in np.flatnonzero(empty)}
    return found


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
    if tables.vectors is not None:
        groups += [tables.vectors.patients, tables.vectors.left_out]
    return set().union(*groups)


def _check_source(source: Source, card: Card) -> None:
    shape = Shape.of(card.shape)
    width, columns = shape.vectors or shape.features, tuple(card.vector_columns)
    known = Source(card.features_encoder, card.weights, width, shape.clusters, columns)
    pairs = {
        "encoder": (source.encoder, known.encoder),
        "width of the features": (source.width, known.width),
        "number of clusters": (source.clusters, known.clusters),
        "columns of the vectors": (", ".join(source.columns), ", ".join(known.columns)),
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
    kinds = {kind_of(column) for column in known}
    for name, columns in card.families.items():
        expected = not card.incomplete or kinds & {kind_of(column) for column in columns}
        if expected and not known.keys() & set(columns):
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
