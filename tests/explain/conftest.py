"""A cohort in which one kind of patch carries the risk, on slides that can be opened, and models trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from ccl.cluster.stage import cluster_cohort
from ccl.config.sections import ClusterSettings, ExplainSettings, TrainSettings
from ccl.data.fold import Inputs
from ccl.explain.stage import explain_patients
from ccl.io.files import write_table
from ccl.io.formats import Family, Features, Genomics, ManifestRow, write_manifest
from ccl.methods import get_method
from ccl.train.stage import train_fold

PATIENTS = tuple(f"P{number:02d}" for number in range(36))
COLUMNS, ROWS, PATCH_PX = 6, 5, 64
KINDS, WIDTH = 3, 12
PLANTED = 0
"""The kind of patch whose look follows the risk."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Planted:
    """Files of all stages up to training, and the kinds of the patches."""

    folder: Path
    kinds: dict[str, np.ndarray]
    """By slide, (N,)."""

    @property
    def slides(self) -> Path:
        return self.folder / "slides.csv"

    @property
    def manifest(self) -> Path:
        return self.folder / "embed" / "0.tsv"

    def inputs(self, method: str) -> dict[str, Any]:
        """The files that `ccl explain` is given."""
        reads = get_method(method).reads
        return {
            "genomics": self.folder / "genomics.h5" if "genomics" in reads else None,
            "clusters": self.folder / "k.h5" if "clusters" in reads else None,
            "slides": self.slides,
            "manifests": (self.manifest,),
        }

    def train(self, method: str, out: Path, *, device: str = "cpu", **options: Any) -> list[Path]:
        """Train two folds and return their folders."""
        settings = TrainSettings()
        chosen = {"epochs": 12, "lr": 0.02, "intervals": 2, "seeds": (0, 1)} | options.pop("settings", {})
        small, known = {"width": 16, "dropout": 0.0}, {item.name for item in fields(get_method(method).hyper)}
        folders = [out / f"fold{fold}" for fold in (0, 1)]
        for fold, folder in enumerate(folders):
            train_fold(
                cohort="toy",
                encoder="planted",
                model=method,
                method=method,
                fold=fold,
                overrides={name: value for name, value in small.items() if name in known} | options,
                settings=replace(settings, **chosen),
                track="unified",
                inputs=Inputs(
                    patients=self.folder / "patients.csv", folds=self.folder / "folds.csv", **self.inputs(method)
                ),
                out=folder,
                synthetic=True,
                device=device,
                threads=1,
                bags="memory",
            )
        return folders

    def explain(
        self, method: str, runs: Sequence[Path], out: Path, *, patients: tuple[str, ...] = (), count: int = 2
    ) -> Path:
        """Explain some patients, and return the folder."""
        explain_patients(
            runs=runs,
            outcomes=self.folder / "patients.csv",
            **self.inputs(method),
            out=out,
            threads=1,
            settings=ExplainSettings(patients, count),
        )
        return out


def write_slide(path: Path, kinds: np.ndarray) -> None:
    """A slide of 0.5 um/px whose patches have one colour for each kind."""
    colours = np.array([[180, 60, 140], [230, 170, 200], [250, 240, 245]], np.uint8)
    pixels = colours[kinds.reshape(ROWS, COLUMNS)].repeat(PATCH_PX, axis=0).repeat(PATCH_PX, axis=1)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64))


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Kinds of patches, each around its own place; that of one of them moves with the risk."""
    folder = tmp_path_factory.mktemp("planted")
    rng = np.random.default_rng(0)
    risk = rng.standard_normal(len(PATIENTS))
    months = np.round(40 * np.exp(-0.7 * risk) + rng.uniform(0, 2, len(PATIENTS)), 2)
    outcomes = pd.DataFrame({"patient_id": PATIENTS, "months": months, "censorship": 0})
    write_table(folder / "patients.csv", outcomes)
    roles = [
        (fold, patient, "test" if number % 2 == fold else "train")
        for fold in (0, 1)
        for number, patient in enumerate(PATIENTS)
    ]
    write_table(folder / "folds.csv", pd.DataFrame(roles, columns=["fold", "patient_id", "role"]))
    families = [
        Family(name, tuple(f"{name}{gene}_rnaseq" for gene in range(count)), rng.normal(3, 2, (len(PATIENTS), count)))
        for name, count in (("A", 4), ("B", 6))
    ]
    Genomics(PATIENTS, tuple(families)).write(folder / "genomics.h5")
    prototypes, direction = rng.normal(0, 2, (KINDS, WIDTH)), rng.standard_normal(WIDTH)
    sheet, rows, all_kinds = [], [], {}
    for number, patient in enumerate(PATIENTS):
        slide = f"{patient}-A"
        kinds = np.repeat(np.arange(KINDS), COLUMNS * ROWS // KINDS)
        looks = prototypes[kinds] + (kinds == PLANTED)[:, None] * risk[number] * direction
        features = (looks + 0.2 * rng.standard_normal(looks.shape)).astype(np.float32)
        places = np.arange(len(kinds))
        coords = np.stack([places % COLUMNS, places // COLUMNS], axis=1) * PATCH_PX
        attributes = {
            "patch_size": PATCH_PX,
            "patch_size_level0": float(PATCH_PX),
            "level0_width": COLUMNS * PATCH_PX,
            "level0_height": ROWS * PATCH_PX,
            "level0_mpp": 0.5,
            "target_mpp": 0.5,
        }
        path = folder / "embed" / f"{slide}.h5"
        Features(features, coords, "planted", "synthetic", attributes).write(path, "key")
        write_slide(folder / f"{slide}.tif", kinds)
        rows.append(ManifestRow(slide, "ok", path, "key", len(kinds), ""))
        sheet.append((slide, patient, f"{slide}.tif", 0.5))
        all_kinds[slide] = kinds
    write_table(folder / "slides.csv", pd.DataFrame(sheet, columns=["slide_id", "patient_id", "path", "mpp"]))
    write_manifest(folder / "embed" / "0.tsv", rows)
    cluster_cohort(
        manifests=[folder / "embed" / "0.tsv"],
        slides=folder / "slides.csv",
        out=folder / "k.h5",
        on_bad_slide="fail",
        threads=1,
        overwrite=False,
        settings=ClusterSettings(k=KINDS, restarts=2, empty="reseed", normalise="none"),
    )
    return Planted(folder, all_kinds)


@pytest.fixture(scope="session")
def trained(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Path]]:
    """Return the folders of the folds of a method, trained once."""
    found: dict[str, list[Path]] = {}

    def runs(method: str) -> list[Path]:
        if method not in found:
            # A bag at a time is slow; both seeds of CCL train side by side.
            settings = {} if method == "ccl" else {"epochs": 8, "seeds": (0,)}
            found[method] = planted.train(method, tmp_path_factory.mktemp(method), settings=settings)
        return found[method]

    return runs
