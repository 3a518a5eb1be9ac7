"""Cohorts whose patients lack pieces, in the files that training reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccl.data.fold import Inputs
from ccl.io.files import write_table
from ccl.io.formats import Family, read_manifest, write_manifest
from ccl.methods import get_method
from ccl.train.stage import train_fold

from .conftest import Cohort
from .test_bags import write_bags


def without(
    cohort: Cohort, *, slides: Collection[str] = (), genes: Collection[str] = (), cnv: Collection[str] = ()
) -> Cohort:
    """Return the cohort with some patients in no file of slides, in no omics table, or in no table of copy numbers."""
    names = cohort.genomics.patients
    kept = [row for row, name in enumerate(names) if name not in genes]
    families = []
    for family in cohort.genomics.families:
        values = family.values.copy()
        columns = [number for number, column in enumerate(family.columns) if column.endswith("_cnv")]
        values[np.ix_([row for row, name in enumerate(names) if name in cnv], columns)] = np.nan
        families.append(Family(family.name, family.columns, values[kept]))
    genomics = replace(cohort.genomics, patients=tuple(names[row] for row in kept), families=tuple(families))
    rows = [row for row, name in enumerate(cohort.clusters.patients) if name not in slides]
    clusters = replace(
        cohort.clusters,
        patients=tuple(cohort.clusters.patients[row] for row in rows),
        centres=cohort.clusters.centres[rows],
        sizes=cohort.clusters.sizes[rows],
    )
    return replace(cohort, genomics=genomics, clusters=clusters)


class Project:
    """A cohort's files, with and without what some patients lack, and models trained on them."""

    def __init__(self, folder: Path, cohort: Cohort, **lacks: Collection[str]) -> None:
        self.folder, self.whole, self.cohort = folder, cohort, without(cohort, **lacks)
        write_bags(folder, cohort)
        self.cohort.arguments(folder)
        gone = set(lacks.get("slides", ()))
        sheet = pd.read_csv(folder / "slides.csv")
        write_table(folder / "slides.csv", sheet[~sheet["patient_id"].isin(gone)])
        rows = [row for row in read_manifest(folder / "manifest.tsv") if row.slide_id.split("-")[0] not in gone]
        write_manifest(folder / "manifest.tsv", rows)

    def files(self, method: str) -> dict[str, Any]:
        """Return the files that a method reads."""
        reads = get_method(method).reads
        files: dict[str, Any] = {"genomics": self.folder / "genomics.h5" if "genomics" in reads else None}
        if "clusters" in reads:
            files["clusters"] = self.folder / "k.h5"
        if "bags" in reads:
            files |= {"slides": self.folder / "slides.csv", "manifests": (self.folder / "manifest.tsv",)}
        return files

    def inputs(self, method: str) -> Inputs:
        """Return the inputs of training."""
        return Inputs(self.folder / "patients.csv", self.folder / "folds.csv", **self.files(method))

    def train(self, method: str, *, fold: int = 0, out: str = "", **settings: Any) -> Path:
        """Train a fold, and return its folder."""
        folder = self.folder / (out or method) / f"fold{fold}"
        arguments = self.cohort.arguments(self.folder, model=method, fold=fold, **settings)
        train_fold(**arguments | {"inputs": self.inputs(method), "out": folder})
        return folder
