"""The data of one fold: who is in it, what is read of them, scaled by what the training patients show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ccl.config.sections import TrainSettings
from ccl.data.bags import Bags, check_bags
from ccl.data.batch import Batch, Outcomes, Shape
from ccl.data.inner import check_inner, hold_out
from ccl.data.intervals import interval_edges, interval_labels
from ccl.io.bags import Members, read_members
from ccl.io.errors import ConfigError, ModelError
from ccl.io.files import read_table
from ccl.io.formats import Clusters, Family, Genomics
from ccl.methods import Method

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Inputs:
    """The files of earlier stages that training reads."""

    patients: Path
    folds: Path
    genomics: Path | None
    clusters: Path | None = None
    slides: Path | None = None
    """The sample sheet, which says whose slides `manifests` list."""
    manifests: tuple[Path, ...] = ()
    """Of the features, for methods that read bags."""

    @property
    def paths(self) -> list[Path]:
        """Those that are given."""
        files = (self.patients, self.folds, self.genomics, self.clusters, self.slides, *self.manifests)
        return [path for path in files if path is not None]


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of a family's columns over the training patients."""

    mean: NDArray[np.float64]
    """(n,); NaN where no training patient has a value."""
    scale: NDArray[np.float64]
    """(n,); 1 for a constant column."""

    @classmethod
    def fit(cls, values: NDArray[np.floating]) -> Scaler:
        """Fit to the values (P, n) of the training patients; NaN does not count."""
        measured = ~np.isnan(values).all(axis=0)
        scaler = StandardScaler().fit(np.where(measured, values.astype(np.float64), 0.0))
        return cls(np.where(measured, scaler.mean_, np.nan), scaler.scale_)

    def apply(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scale (P, n) values; what is missing becomes 0, the training mean."""
        return np.nan_to_num((values.astype(np.float64) - self.mean) / self.scale, nan=0.0).astype(np.float32)


@dataclass(frozen=True)
class Side:
    """The training or the test patients of a fold, P of them, sorted."""

    patients: tuple[str, ...]
    months: NDArray[np.float64]
    censorship: NDArray[np.int64]
    genomics: tuple[Tensor, ...]
    """Per family (P, n_f), scaled; empty for a method that reads no genes."""
    centres: Tensor | None
    """(P, k, D)"""
    bags: Bags | None = None
    device: torch.device = CPU

    def batch(self) -> Batch:
        """Return all patients without their outcome and bags, as a method sees them when it predicts: (1, P, ...)."""
        centres = None if self.centres is None else self.centres[None]
        return Batch(tuple(family[None] for family in self.genomics), centres, outcomes=None)

    def outcomes(self, edges: NDArray[np.float64]) -> Outcomes:
        """Return the outcomes of all patients (1, P), in intervals between `edges` (months)."""
        device = self.device
        return Outcomes(
            torch.from_numpy(interval_labels(self.months, edges)).to(device)[None],
            torch.from_numpy(self.censorship.astype(np.float32)).to(device)[None],
            torch.from_numpy(self.months.astype(np.float32)).to(device)[None],
        )

    def batches(self) -> Iterator[Batch]:
        """Yield all patients, as :meth:`batch` has them; for methods that read bags, one at a time with its bag."""
        if self.bags is None:
            yield self.batch()
            return
        for number, bag in enumerate(self.bags.stream(range(len(self.patients)))):
            yield Batch(tuple(family[None, number : number + 1] for family in self.genomics), None, None, bag)

    def draw(self, rows: Tensor, outcomes: Outcomes) -> Batch:
        """Return the patients in `rows` (S, B), other ones for each replica, with their `outcomes` (1, P)."""
        return Batch(
            tuple(family[rows] for family in self.genomics),
            None if self.centres is None else self.centres[rows],
            Outcomes(outcomes.labels[0][rows], outcomes.censorship[0][rows], outcomes.months[0][rows]),
        )

    def sampling_weights(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weight (P,) of each patient that makes all classes of interval and censorship equally frequent."""
        classes = 2 * interval_labels(self.months, edges) + self.censorship
        weights: NDArray[np.float64] = 1.0 / np.bincount(classes)[classes]
        return weights


@dataclass(frozen=True)
class Fold:
    """All that a method needs to be trained on one fold."""

    train: Side
    test: Side
    shape: Shape
    edges: NDArray[np.float64]
    """(n + 1,) edges of the survival intervals in months."""
    families: Mapping[str, tuple[str, ...]]
    """The columns of each gene family."""
    scalers: Mapping[str, Scaler]
    """Per gene family."""
    weights: str
    """Weights of the encoder behind the patches; ``none`` where no slides are read."""
    empty_clusters: float | None
    """Share of clusters without a patch, over all patients; None where no clusters are read."""
    left_out: Mapping[str, str]
    """Patients of the fold that lack what the method reads, each with the reason."""
    inner: Side | None = None
    """Patients held out of training to choose the epoch by, if any are."""


def load_fold(
    method: Method,
    inputs: Inputs,
    fold: int,
    *,
    settings: TrainSettings,
    device: torch.device,
    keep_bags: bool = False,
) -> Fold:
    """Read the data of one fold; of bags only what their files' heads say.

    Scaling and, by default, the survival intervals come from the training patients alone.

    Parameters
    ----------
    keep_bags : bool
        Keep each bag in memory once it was read.

    Raises
    ------
    ConfigError
        A file that the method reads is not given, there is no such fold, the intervals cannot be made, or the bags
        do not fit into memory; or no epoch can be chosen by the patients held out.
    ModelError
        No training or no test patient has what the method reads, or a gene family has no columns.
    InputError
        Features of slides differ in encoder or width.
    """
    tables = read_tables(
        method,
        genomics=inputs.genomics,
        clusters=inputs.clusters,
        slides=inputs.slides,
        manifests=inputs.manifests,
    )
    outcomes = read_table(inputs.patients, required=("patient_id", "months", "censorship"), text=("patient_id",))
    outcomes = outcomes.set_index("patient_id")
    roles = _roles(inputs.folds, fold)
    if settings.inner:
        roles = hold_out(roles, outcomes, share=settings.inner, fold=fold)
    left_out = tables.left_out(sorted(roles))
    train, test = (_members(roles, left_out, role=role) for role in ("train", "test"))
    inner = [patient for patient in roles if roles[patient] == "inner" and patient not in left_out]
    if settings.inner:
        check_inner(outcomes.loc[inner], settings.inner)
    families, clusters, members = tables.families, tables.clusters, tables.members
    rows = tables.genomic_rows(train)
    scalers = {family.name: Scaler.fit(family.values[rows]) for family in families}
    basis = outcomes.loc[train] if settings.intervals_from == "train" else outcomes
    features, weights = 0, "none"
    if clusters is not None:
        features, weights = clusters.centres.shape[2], clusters.weights
    elif members is not None:
        here = {patient: members.bags[patient] for patient in (*train, *inner, *test)}
        features, weights = check_bags(here, keep=keep_bags)
    return Fold(
        train=_side(tables, outcomes.loc[train], scalers, device=device, keep_bags=keep_bags),
        test=_side(tables, outcomes.loc[test], scalers, device=device, keep_bags=keep_bags),
        shape=Shape(
            families=tuple(len(family.columns) for family in families),
            intervals=settings.intervals,
            clusters=clusters.centres.shape[1] if clusters else 0,
            features=features,
        ),
        edges=interval_edges(basis["months"], basis["censorship"], settings.intervals),
        families={family.name: family.columns for family in families},
        scalers=scalers,
        weights=weights,
        empty_clusters=clusters.empty_rate if clusters else None,
        left_out=left_out,
        inner=_side(tables, outcomes.loc[inner], scalers, device=device, keep_bags=keep_bags) if inner else None,
    )


def _check_families(genomics: Genomics, path: Path | None) -> None:
    empty = [family.name for family in genomics.families if not family.columns]
    if empty or not genomics.families:
        raise ModelError(
            "a gene family has no columns",
            where=str(path),
            found=", ".join(empty) or "no families",
            expected="at least one measured gene in each family",
            todo="take the family out of the GMT file, or name the others in `genomics: families`",
        )


def _given(path: Path | None, name: str) -> Path:
    if path is None:
        raise ConfigError(
            "the method was not given what it reads",
            found=f"no file of the {name} stage",
            expected=f"the file that the method's {name} come from",
            todo=f"give --{name}",
        )
    return path


def _roles(path: Path, fold: int) -> dict[str, str]:
    """Return ``train`` or ``test`` for each patient of a fold, sorted by patient."""
    folds = read_table(path, required=("fold", "patient_id", "role"), text=("patient_id", "role"))
    here = folds[folds["fold"] == fold].sort_values("patient_id")
    if here.empty:
        raise ConfigError(
            "there is no such fold",
            where=str(path),
            found=f"fold {fold}",
            expected=", ".join(map(str, sorted(folds["fold"].unique()))),
            todo="ask for one of these folds",
        )
    return dict(zip(here["patient_id"], here["role"], strict=True))


def _members(roles: Mapping[str, str], left_out: Mapping[str, str], *, role: str) -> list[str]:
    """Return the patients of one side of the fold that have what the method reads."""
    members = [patient for patient in roles if roles[patient] == role and patient not in left_out]
    if not members:
        raise ModelError(
            f"no {role} patient has what the method reads",
            found="; ".join(f"{patient}: {reason}" for patient, reason in list(left_out.items())[:3]),
            expected=f"at least one {role} patient of the fold in the files of the stages before",
            todo="check that the tables and the sample sheet name the patients alike",
        )
    return members


def _rows(known: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp]:
    """Return where in `known` each of `wanted` is."""
    return pd.Index(known).get_indexer(pd.Index(wanted))


@dataclass(frozen=True)
class Tables:
    """What the earlier stages know of all patients, as far as a method reads it."""

    genomics: Genomics | None
    clusters: Clusters | None
    members: Members | None

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
        """Return who of `patients` lacks something, each with the reason."""
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
        return dict(sorted(reasons.items()))


def read_tables(
    method: Method,
    *,
    genomics: Path | None,
    clusters: Path | None,
    slides: Path | None,
    manifests: Sequence[Path],
) -> Tables:
    """Read those of the files that a method reads.

    Raises
    ------
    ConfigError
        One of these is not given.
    ModelError
        A gene family has no columns.
    """
    omics = Genomics.read(_given(genomics, "genomics")) if "genomics" in method.reads else None
    if omics is not None:
        _check_families(omics, genomics)
    return Tables(
        omics,
        Clusters.read(_given(clusters, "clusters")) if "clusters" in method.reads else None,
        read_members(_given(slides, "slides"), manifests) if "bags" in method.reads else None,
    )


def _side(
    tables: Tables, outcomes: pd.DataFrame, scalers: Mapping[str, Scaler], *, device: torch.device, keep_bags: bool
) -> Side:
    """Return the scaled data of the patients that `outcomes` is indexed by."""
    patients = tuple(outcomes.index)
    rows = tables.genomic_rows(patients)
    genomics = [scalers[family.name].apply(family.values[rows]) for family in tables.families]
    centres, bags = None, None
    if tables.clusters is not None:
        own = tables.clusters.centres[tables.cluster_rows(patients)]
        centres = torch.from_numpy(own).to(device)
    if tables.members is not None:
        bags = Bags([tables.members.bags[patient] for patient in patients], device=device, keep=keep_bags)
    return Side(
        patients=patients,
        months=outcomes["months"].to_numpy(dtype=np.float64),
        censorship=outcomes["censorship"].to_numpy(dtype=np.int64),
        genomics=tuple(torch.from_numpy(values).to(device) for values in genomics),
        centres=centres,
        bags=bags,
        device=device,
    )
