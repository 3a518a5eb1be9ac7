"""Reading the files of the genomics, cluster, embed and vectors stages, as far as a method needs them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.config.cohort_sections import OMICS_SUFFIXES
from ccl.io.bags import Members, read_members
from ccl.io.covariates import Clinical
from ccl.io.errors import ConfigError, ModelError
from ccl.io.formats import Clusters, Family, Genomics, Vectors


@dataclass(frozen=True)
class Tables:
    """What the earlier stages know of all patients, as far as a method reads it."""

    genomics: Genomics | None
    clusters: Clusters | None
    members: Members | None
    clinical: Clinical | None = None
    vectors: Vectors | None = None
    incomplete: bool = False
    """Whether patients who have slides or omics, but not both or not every omics table, are kept."""

    @property
    def families(self) -> Sequence[Family]:
        """The gene families, none for a method that reads no genes."""
        return self.genomics.families if self.genomics else ()

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The T omics tables, such as ``rna``, that the columns of the families come from."""
        found = {kind_of(column) for family in self.families for column in family.columns}
        return tuple(kind for kind in (*OMICS_SUFFIXES, OTHER) if kind in found)

    @property
    def table_numbers(self) -> tuple[tuple[int, ...], ...]:
        """Per family, the number of each column's omics table in :attr:`kinds`."""
        return tuple(tuple(self.kinds.index(kind_of(column)) for column in each.columns) for each in self.families)

    def genes_of(self, patients: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the unscaled values (P, n_f) of some patients per family; NaN where there are none."""
        if self.genomics is None:
            return []
        rows = _rows(self.genomics.patients, patients)
        return [_taken(family.values, rows, missing=np.nan) for family in self.families]

    def centres_of(self, patients: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the centres (P, k, D) of some patients, zeros where there are none; None if no clusters are read."""
        if self.clusters is None:
            return None
        return _taken(self.clusters.centres, _rows(self.clusters.patients, patients), missing=0.0)

    def cluster_rows(self, patients: Sequence[str]) -> NDArray[np.intp]:
        """Return the rows of some patients in the clusters."""
        return _rows(self.clusters.patients, patients) if self.clusters else np.empty(0, dtype=np.intp)

    def vectors_of(self, patients: Sequence[str]) -> NDArray[np.float32] | None:
        """Return the unscaled vectors (P, D) of some patients, NaN where there are none; None if none are read."""
        if self.vectors is None:
            return None
        return _taken(self.vectors.values, _rows(self.vectors.patients, patients), missing=np.nan)

    @property
    def reads_slides(self) -> bool:
        """Whether there are clusters or bags."""
        return self.clusters is not None or self.members is not None

    def with_slides(self, patients: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of P patients have slides, or a vector of them, (P,)."""
        groups: tuple[Collection[str], ...] = (
            self.clusters.patients if self.clusters else (),
            self.members.bags if self.members else (),
            self.vectors.patients if self.vectors else (),
        )
        known = set().union(*groups)
        return np.array([patient in known for patient in patients], dtype=bool)

    def in_tables(self, patients: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of P patients have a value in each of the T omics tables, (P, T)."""
        found = np.zeros((len(patients), len(self.kinds)), dtype=bool)
        for values, numbers in zip(self.genes_of(patients), self.table_numbers, strict=True):
            for table in set(numbers):
                found[:, table] |= ~np.isnan(values[:, np.equal(numbers, table)]).all(axis=1)
        return found

    def lacking(self, patients: Sequence[str]) -> dict[str, str]:
        """Return what each incomplete one of `patients` lacks, such as ``no slides`` or ``no cnv, no snv``."""
        tables = self.in_tables(patients)
        slides = self.with_slides(patients) if self.reads_slides else np.ones(len(patients), dtype=bool)
        found = {}
        for patient, has_slides, own in zip(patients, slides, tables, strict=True):
            absent = [kind for kind, has in zip(self.kinds, own, strict=True) if not has]
            of_genes = ["genes"] if absent and not own.any() else absent
            if lacks := ["slides"] * (not has_slides) + of_genes:
                found[patient] = ", ".join(f"no {part}" for part in lacks)
        return found

    def left_out(self, patients: Sequence[str]) -> dict[str, str]:
        """Return which of `patients` cannot be used, each with the reason.

        They lack something; if incomplete patients are kept, both slides and omics, or the covariates.
        """
        slides, genes = self._without_slides(patients), self._without_genes(patients)
        if self.incomplete and self.reads_slides and self.genomics is not None:
            reasons = {patient: f"{slides[patient]}, {genes[patient]}" for patient in slides.keys() & genes.keys()}
        else:
            reasons = slides | genes
        if self.clinical is not None:
            reasons |= dict.fromkeys(set(patients) - set(self.clinical.patients), "no row in the clinical table")
        return dict(sorted(reasons.items()))

    def _without_slides(self, patients: Sequence[str]) -> dict[str, str]:
        reasons: dict[str, str] = {}
        for of_slides, otherwise in (
            (None if self.clusters is None else (self.clusters.patients, self.clusters.left_out), "no slides"),
            (None if self.members is None else (self.members.bags, self.members.excluded), "no slides"),
            (None if self.vectors is None else (self.vectors.patients, self.vectors.left_out), "no vector"),
        ):
            if of_slides is not None:
                known, why_not = of_slides
                reasons |= {patient: why_not.get(patient, otherwise) for patient in set(patients) - set(known)}
        return reasons

    def _without_genes(self, patients: Sequence[str]) -> dict[str, str]:
        if self.genomics is None:
            return {}
        reasons = dict.fromkeys(set(patients) - set(self.genomics.patients), "no row in the omics tables")
        if self.incomplete:
            empty = ~self.in_tables(patients).any(axis=1)
            return dict.fromkeys(np.array(patients)[empty].tolist(), "no value in the omics tables") | reasons
        return reasons


OTHER = "omics"
"""The table of a column whose name has no known ending."""


def kind_of(column: str) -> str:
    """Return the omics table that a column comes from, such as ``rna`` for ``TP53_rnaseq``."""
    return next((kind for kind, suffix in OMICS_SUFFIXES.items() if column.endswith(suffix)), OTHER)


def _taken(values: NDArray[np.float32], rows: NDArray[np.intp], *, missing: float) -> NDArray[np.float32]:
    """Return some rows of an array; a negative row is filled with `missing`."""
    taken = np.full((len(rows), *values.shape[1:]), missing, dtype=values.dtype)
    taken[rows >= 0] = values[rows[rows >= 0]]
    return taken


def _rows(known: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp]:
    """Return where in `known` each of `wanted` is; -1 if it is not there."""
    return pd.Index(known).get_indexer(pd.Index(wanted))


def read_tables(
    reads: Collection[str],
    *,
    genomics: Path | None,
    clusters: Path | None,
    slides: Path | None,
    manifests: Sequence[Path],
    clinical: Path | None = None,
    vectors: Path | None = None,
    incomplete: bool = False,
) -> Tables:
    """Read the files that a method needs.

    Parameters
    ----------
    reads : collection of str
        What the method reads: ``genomics``, ``clusters``, ``bags``, ``clinical``, ``vectors``.
    genomics, clusters, slides, manifests, clinical, vectors
        Files of the stages, those that are given.
    incomplete : bool
        Whether patients who lack slides or omics tables are kept.

    Raises
    ------
    ConfigError
        A file that is needed is not given.
    ModelError
        A gene family has no columns.
    """
    return Tables(
        _read_genomics(_given(genomics, "genomics")) if "genomics" in reads else None,
        Clusters.read(_given(clusters, "clusters")) if "clusters" in reads else None,
        read_members(_given(slides, "slides"), manifests) if "bags" in reads else None,
        Clinical.read(_given(clinical, "clinical")) if "clinical" in reads else None,
        Vectors.read(_given(vectors, "vectors")) if "vectors" in reads else None,
        incomplete,
    )


def _read_genomics(path: Path) -> Genomics:
    genomics = Genomics.read(path)
    empty = [family.name for family in genomics.families if not family.columns]
    if empty or not genomics.families:
        raise ModelError(
            "a gene family has no columns",
            where=str(path),
            found=", ".join(empty) or "no families",
            expected="at least one measured gene in each family",
            todo="remove the family from the GMT file, or name the other families in `genomics: families`",
        )
    return genomics


def _given(path: Path | None, name: str) -> Path:
    if path is None:
        raise ConfigError(
            "the method was not given what it reads",
            found=f"no file of the {name} stage",
            expected=f"the file with the method's {name}",
            todo=f"give --{name}",
        )
    return path
