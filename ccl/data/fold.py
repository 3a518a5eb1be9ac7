"""The data of one fold: its training and test patients, scaled by the training patients."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ccl.data.bags import check_bags
from ccl.data.batch import Shape
from ccl.data.intervals import interval_edges
from ccl.data.patients import CPU, Side, read_patients
from ccl.data.scaling import Scaler, Scalers
from ccl.data.tables import Tables, read_tables
from ccl.io.covariates import Clinical, coded_files
from ccl.io.errors import ConfigError, ModelError
from ccl.io.files import read_table
from ccl.pages.numbers import plural

INNER_SEED = 0
"""Seed of the draw of patients who are held out."""


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
    clinical: Path | None = None
    """With the coding of the covariates beside it."""
    vectors: Path | None = None

    @property
    def by_use(self) -> dict[str, list[Path]]:
        """Those that are given, by use."""
        given: dict[str, list[Path | None]] = {
            "patients": [self.patients],
            "folds": [self.folds],
            "genomics": [self.genomics],
            "clusters": [self.clusters],
            "sheet": [self.slides],
            "manifest": list(self.manifests),
            "clinical": list(coded_files(self.clinical)),
            "vectors": [self.vectors],
        }
        return {use: [path for path in paths if path is not None] for use, paths in given.items()}

    @property
    def paths(self) -> list[Path]:
        """Those that are given."""
        return [path for paths in self.by_use.values() for path in paths]

    def tables(self, reads: Collection[str], *, incomplete: bool = False) -> Tables:
        """Read the files that a method needs (:func:`read_tables`)."""
        return read_tables(
            reads,
            genomics=self.genomics,
            clusters=self.clusters,
            slides=self.slides,
            manifests=self.manifests,
            clinical=self.clinical,
            vectors=self.vectors,
            incomplete=incomplete,
        )


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
    covariates: tuple[str, ...]
    """The names of the covariates' columns."""
    scalers: Scalers
    weights: str
    """Weights of the encoder that made the features; ``none`` where no slides are read."""
    empty_clusters: float | None
    """Share of clusters without a patch, over all patients; None where no clusters are read."""
    left_out: Mapping[str, str]
    """Patients of the fold that lack what the method reads, each with the reason."""
    left_out_deaths: int
    """How many of these died."""
    keeps: bool
    """Whether patients who lack only a part of it are kept."""
    lacking: Mapping[str, str]
    """What each of those lacks, such as ``no slides``."""
    inner: Side | None = None
    """Patients held out of training to choose the epoch by, if there are any."""


def load_fold(
    reads: Collection[str],
    inputs: Inputs,
    fold: int,
    *,
    intervals: int,
    intervals_from: Literal["train", "cohort"],
    inner: float | None = None,
    incomplete: Literal["drop", "keep"] = "drop",
    drop_modality: float = 0.0,
    device: torch.device = CPU,
    keep_bags: bool = False,
) -> Fold:
    """Read the data of one fold; bags are read later, one by one.

    Scaling and, by default, the survival intervals come from the training patients alone.

    Parameters
    ----------
    reads : collection of str
        What the method reads: ``genomics``, ``clusters``, ``bags``, ``clinical``, ``vectors``.
    inputs : Inputs
        Files of the stages before.
    fold : int
        Number of the fold.
    intervals : int
        Survival intervals n.
    intervals_from : {"train", "cohort"}
        Patients whose times the interval edges are computed from.
    inner : float, optional
        Share of the training patients to hold out for the choice of the epoch.
    incomplete : {"drop", "keep"}
        Whether patients who have slides or omics, but not both or not every omics table, are left out.
    drop_modality : float
        Rate at which training drops a modality.  Above 0, the networks of a method that reads both are built for
        incomplete patients.
    device : torch.device
        Where the data are wanted.
    keep_bags : bool
        Keep each bag in memory after it was read.

    Raises
    ------
    ConfigError
        A file that the method reads is not given, there is no such fold, the intervals cannot be computed, or the bags
        do not fit into memory.
    ModelError
        No training or no test patient has what the method reads, or a gene family has no columns.
    InputError
        Features of slides differ in encoder or width.
    """
    tables = inputs.tables(reads, incomplete=incomplete == "keep")
    outcomes = read_table(inputs.patients, required=("patient_id", "months", "censorship"), text=("patient_id",))
    outcomes = outcomes.set_index("patient_id")
    roles = _roles(inputs.folds, fold)
    if inner:
        roles = _hold_out(roles, outcomes, share=inner, fold=fold)
    left_out = tables.left_out(sorted(roles))
    here = [patient for patient in roles if patient not in left_out]
    members = {role: [patient for patient in here if roles[patient] == role] for role in ("train", "inner", "test")}
    for role in ("train", "test"):
        _check_role(role, members[role], left_out)
    if tables.incomplete:
        _check_modalities(tables, members["train"])
    genes = zip(tables.families, tables.genes_of(members["train"]), strict=True)
    vectors = tables.vectors_of(members["train"])
    scalers = Scalers(
        {family.name: Scaler.fit(values) for family, values in genes},
        None if tables.clinical is None else _fit_clinical(tables.clinical, members["train"], fold),
        None if vectors is None else Scaler.fit(vectors),
    )
    clusters, features, weights = tables.clusters, 0, "none"
    if clusters is not None:
        features, weights = clusters.centres.shape[2], clusters.weights
    elif tables.members is not None:
        found = tables.members.bags
        bags = {patient: found[patient] for role in members.values() for patient in role if patient in found}
        features, weights = check_bags(bags, keep=keep_bags)
    elif tables.vectors is not None:
        weights = tables.vectors.weights

    def side(role: str) -> Side:
        data = scalers.scale(read_patients(tables, members[role], device=device, keep_bags=keep_bags))
        own = outcomes.loc[members[role]]
        months, censorship = own["months"].to_numpy(np.float64), own["censorship"].to_numpy(np.int64)
        return Side(**vars(data), months=months, censorship=censorship)

    basis = outcomes.loc[members["train"]] if intervals_from == "train" else outcomes
    return Fold(
        train=side("train"),
        test=side("test"),
        shape=Shape(
            families=tuple(len(family.columns) for family in tables.families),
            intervals=intervals,
            clusters=clusters.centres.shape[1] if clusters else 0,
            features=features,
            clinical=len(tables.clinical.columns) if tables.clinical else 0,
            vectors=tables.vectors.values.shape[1] if tables.vectors else 0,
            tables=tables.table_numbers if tables.incomplete or (drop_modality and tables.reads_slides) else (),
        ),
        edges=interval_edges(basis["months"], basis["censorship"], intervals),
        families={family.name: family.columns for family in tables.families},
        covariates=tables.clinical.columns if tables.clinical else (),
        scalers=scalers,
        weights=weights,
        empty_clusters=clusters.empty_rate if clusters else None,
        left_out=left_out,
        left_out_deaths=int((outcomes.loc[list(left_out), "censorship"] == 0).sum()),
        keeps=tables.incomplete,
        lacking=tables.lacking(here) if tables.incomplete else {},
        inner=side("inner") if members["inner"] else None,
    )


def _fit_clinical(clinical: Clinical, patients: Sequence[str], fold: int) -> Scaler:
    """Return the scaler of the covariates; raise ModelError if one has fewer than two values in training."""
    values = clinical.coded(patients)
    for covariate in clinical.covariates:
        known = clinical.table.loc[list(patients), covariate.name].dropna().nunique()
        if known < 2:
            raise ModelError(
                "a covariate is constant, or missing for all training patients of a fold",
                where=f"clinical: covariates: {covariate.name}, fold {fold}",
                found=f"{plural(known, 'value')} among {len(values)} patients",
                expected="two values or more",
                todo="take the covariate out of the config",
            )
    return Scaler.fit(values)


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


def _hold_out(roles: Mapping[str, str], outcomes: pd.DataFrame, *, share: float, fold: int) -> dict[str, str]:
    """Return the roles of a fold's patients, with a share of those in training changed to ``inner``.

    The share is the same of patients who died and of those who were censored.  The draw does not depend on the method,
    so all methods hold out the same patients.

    Parameters
    ----------
    roles : mapping
        ``train`` or ``test`` for each patient, sorted by patient.
    outcomes : DataFrame
        ``months``, ``censorship`` by patient.
    share : float
        Between 0 and 1.
    fold : int
        Number of the fold; part of the seed.
    """
    training = outcomes.loc[[patient for patient, role in roles.items() if role == "train"]]
    rng = np.random.default_rng((INNER_SEED, fold))
    drawn: list[str] = []
    for _, alike in training.groupby("censorship"):
        drawn += rng.permutation(alike.index.to_numpy())[: round(share * len(alike))].tolist()
    return {**roles, **dict.fromkeys(drawn, "inner")}


def _check_modalities(tables: Tables, training: Sequence[str]) -> None:
    """Raise ModelError if no training patient has slides, or none has omics, though the method reads them."""
    there = {
        "slides": not tables.reads_slides or tables.with_slides(training).any(),
        "omics": tables.genomics is None or tables.in_tables(training).any(),
    }
    lacking = [name for name, found in there.items() if not found]
    if lacking:
        raise ModelError(
            f"no training patient has {' or '.join(lacking)}, which the method reads",
            found=f"{len(training)} training patients",
            expected="some training patients with slides, and some with omics",
            todo="check that the tables and the sample sheet name the patients alike, or take a method that needs less",
        )


def _check_role(role: str, members: Collection[str], left_out: Mapping[str, str]) -> None:
    if not members:
        raise ModelError(
            f"no {role} patient has what the method reads",
            found="; ".join(f"{patient}: {reason}" for patient, reason in list(left_out.items())[:3]),
            expected=f"at least one {role} patient of the fold in the files of the stages before",
            todo="check that the tables and the sample sheet name the patients alike",
        )
