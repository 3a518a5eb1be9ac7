"""A small cohort whose genes and clusters are drawn, and CCL trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ccl.components.stage import find_components
from ccl.config.sections import TrainSettings
from ccl.data.fold import Inputs
from ccl.io.files import write_table
from ccl.io.formats import Clusters, Family, Genomics
from ccl.train.stage import train_fold

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Drawn:
    """Files of the stages before training."""

    folder: Path
    folds: int

    def train(
        self, out: Path, *, settings: dict[str, Any] | None = None, device: str = "cpu", **overrides: Any
    ) -> list[Path]:
        """Train all folds of CCL and return their folders."""
        chosen = {"epochs": 2, "lr": 0.01, "intervals": 2, "seeds": (0, 1)} | (settings or {})
        folders = [out / f"fold{fold}" for fold in range(self.folds)]
        for fold, folder in enumerate(folders):
            train_fold(
                cohort=self.folder.name,
                encoder="drawn",
                model="ccl",
                method="ccl",
                fold=fold,
                overrides={"width": 16, "groups": 2, **overrides},
                settings=TrainSettings(**chosen),
                track="unified",
                inputs=Inputs(
                    self.folder / "patients.csv",
                    self.folder / "folds.csv",
                    self.folder / "genomics.h5",
                    self.folder / "k.h5",
                ),
                out=folder,
                synthetic=True,
                device=device,
                threads=1,
                bags="memory",
            )
        return folders

    def components(self, runs: list[Path], out: Path) -> Path:
        """Run the stage, and return the folder."""
        find_components(runs=runs, genomics=self.folder / "genomics.h5", clusters=self.folder / "k.h5", out=out)
        return out


def draw_cohort(folder: Path, *, patients: int, folds: int, clusters: int = 3, width: int = 12) -> Drawn:
    """Patients whose genes and clusters follow a risk, every fourth censored, each in the test set of one fold."""
    rng = np.random.default_rng(0)
    names = tuple(f"P{number:03d}" for number in range(patients))
    risk = rng.standard_normal(patients)
    months = np.round(40 * np.exp(-0.7 * risk) + rng.uniform(0, 2, patients), 2)
    censorship = (np.arange(patients) % 4 == 3).astype(int)
    outcomes = pd.DataFrame({"patient_id": names, "months": months, "censorship": censorship})
    write_table(folder / "patients.csv", outcomes)
    roles = [
        (fold, name, "test" if number % folds == fold else "train")
        for fold in range(folds)
        for number, name in enumerate(names)
    ]
    write_table(folder / "folds.csv", pd.DataFrame(roles, columns=["fold", "patient_id", "role"]))

    def values(*shape: int) -> np.ndarray:
        spread = rng.normal(0, 1, (patients, *shape))
        return (spread + risk.reshape(-1, *[1] * len(shape)) * rng.normal(0, 1, shape)).astype(np.float32)

    families = (Family(name, tuple(f"{name}{gene}_rnaseq" for gene in range(5)), values(5)) for name in ("A", "B"))
    Genomics(names, tuple(families)).write(folder / "genomics.h5")
    sizes = np.full((patients, clusters), 10)
    Clusters(names, values(clusters, width), sizes, {}, "drawn", "random", {}).write(folder / "k.h5")
    return Drawn(folder, folds)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return draw_cohort(tmp_path_factory.mktemp("toy"), patients=16, folds=2)


@pytest.fixture(scope="session")
def trained(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folds of CCL with its default components."""
    return drawn.train(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def made(drawn: Drawn, trained: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stage."""
    return drawn.components(trained, tmp_path_factory.mktemp("made"))
