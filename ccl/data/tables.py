"""Reading the files of the genomics, cluster and embed stages, as far as a method needs them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.io.bags import Members, read_members
from ccl.io.covariates import Clinical
from ccl.io.errors import ConfigError, ModelError
from ccl.io.formats import Clusters, Family, Genomics


@dataclass(frozen=True)
class Tables:
    """What the earlier stages know of all patients, as far as a method reads it."""

    genomics: Genomics | None
    clusters: Clusters | None
    members: Members | None
    clinical: Clinical | None = None

    @property
    def families(self) -> Sequence[Family]:
        """The gene families, none for a method that reads no genes."""
        return self.genomics.families if self.genomics else ()

    def genomic_rows(self, patients: Sequence[str]) -> NDArray[np.intp]:
        """Return the rows of some patients in the gene families."""
        return _rows(self.genomics.patients, patients) if self.genomics else np.empty(0, dtype=np.intp)

    def cluster_rows(self, patients: Sequence[str]) -> NDArray[np.intp]:
        """Return the rows of some patients in the clusters."""
        return _rows(self.clusters.patients, patients) if self.clusters else np.empty(0, dtype=np.intp)

    def left_out(self, patients: Sequence[str]) -> dict[str, str]:
        """Return which of `patients` lack something, each with the reason."""
        reasons: dict[str, str] = {}
        for of_slides in (
            None if self.clusters is None else (self.clusters.patients, self.clusters.left_out),
            None if self.members is None else (self.members.bags, self.members.excluded),
        ):
            if of_slides is not None:
                known, why_not = of_slides
                reasons |= {patient: why_not.get(patient, "no slides") for patient in set(patients) - set(known)}
        if self.genomics is not None:
            unknown = set(patients) - set(self.genomics.patients)
            reasons |= dict.fromkeys(unknown, "no row in the omics tables")
        if self.clinical is not None:
            reasons |= dict.fromkeys(set(patients) - set(self.clinical.patients), "no row in the clinical table")
        return dict(sorted(reasons.items()))


def _rows(known: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp]:
    """Return where in `known` each of `wanted` is."""
    return pd.Index(known).get_indexer(pd.Index(wanted))


def read_tables(
    reads: Collection[str],
    *,
    genomics: Path | None,
    clusters: Path | None,
    slides: Path | None,
    manifests: Sequence[Path],
    clinical: Path | None = None,
) -> Tables:
    """Read the files that a method needs.

    Parameters
    ----------
    reads : collection of str
        What the method reads: ``genomics``, ``clusters``, ``bags``, ``clinical``.
    genomics, clusters, slides, manifests, clinical
        Files of the stages, those that are given.

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
