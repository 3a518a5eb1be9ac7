"""The components stage: writes positions and statistics of the components of a model's test patients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from ccl.components import DECOMPOSED, VERSION
from ccl.components.statistics import similarity
from ccl.components.vectors import Vectors, vectors_of
from ccl.data.tables import read_tables
from ccl.evaluate.folds import FoldRun, read_folds
from ccl.io.errors import ConfigError
from ccl.io.files import write_json, write_table
from ccl.io.origin import record
from ccl.io.progress import progress

PERPLEXITY = 30.0
"""The usual perplexity of t-SNE; with few points it is a third of their number."""

COLUMNS = ("fold", "patient_id", "component", "x", "y", "group", "censorship", "risk")


def find_components(
    *, runs: Sequence[Path], genomics: Path | None, clusters: Path | None, clinical: Path | None = None, out: Path
) -> None:
    """Write ``components.csv``, ``similarity.csv`` and ``components.json``, as docs/formats.md describes them.

    Parameters
    ----------
    runs : sequence of Path
        Fold folders of one model; each patient is shown by the fold that tested this patient.
    genomics, clusters, clinical : Path, optional
        Files of these stages, if the model reads them.

    Raises
    ------
    ConfigError
        The method has no components, or a file that it reads is not given.
    ModelError
        A test patient lacks what the method reads.
    InputError
        A file is missing or damaged, or the run was not trained on it.
    """
    torch.set_num_threads(1)  # a different order of summation would move the points
    folds = read_folds(runs)
    method = folds[0].facts["method"]
    if method not in DECOMPOSED:
        raise ConfigError(
            "the method has no knowledge components",
            where=str(folds[0].folder),
            found=method,
            expected=", ".join(DECOMPOSED),
            todo="name the folds of a model of one of these methods",
        )
    tables = read_tables(
        folds[0].reads, genomics=genomics, clusters=clusters, clinical=clinical, slides=None, manifests=()
    )
    found = [vectors_of(run, tables) for run in progress(folds, "components", unit="fold")]
    write_table(out / "components.csv", pd.concat([_points(fold) for fold in found]), checksum=True)
    write_table(out / "similarity.csv", similarity(found), checksum=True)
    write_json(out / "components.json", _facts(folds[0], found), checksum=True)
    record(
        "components",
        VERSION,
        outputs=[out / name for name in ("components.json", "components.csv", "similarity.csv")],
        inputs={
            "fold": [file for run in folds for file in run.files],
            "genomics": genomics,
            "clusters": clusters,
            "clinical": clinical,
        },
    )


def perplexity(points: int) -> float:
    """Return the perplexity for this number of points.

    >>> perplexity(400), perplexity(31), perplexity(2)
    (30.0, 10.0, 1.0)
    """
    return max(1.0, min(PERPLEXITY, (points - 1) / 3))


def embed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return two or more points (N, d) in the plane (N, 2) by t-SNE (van der Maaten and Hinton 2008)."""
    tsne = TSNE(perplexity=perplexity(len(points)), init="pca", random_state=0)
    with threadpool_limits(1):  # as above
        return np.asarray(tsne.fit_transform(points), dtype=np.float64)


def _points(fold: Vectors) -> pd.DataFrame:
    """Return the rows of one fold in ``components.csv``, from its first seed."""
    count = len(fold.components)
    places = embed(fold.values[0].reshape(-1, fold.values.shape[-1]))
    rows = fold.patients.loc[fold.patients.index.repeat(count)]
    named = rows.assign(fold=fold.fold, component=fold.components * len(fold.patients), x=places[:, 0], y=places[:, 1])
    return named[list(COLUMNS)]


def _facts(run: FoldRun, folds: Sequence[Vectors]) -> dict[str, Any]:
    """Return ``components.json``."""
    facts = run.facts
    by_time = facts["hyper"]["guide"] and facts["hyper"]["groups_by"] == "time"
    return {
        **{name: facts[name] for name in ("cohort", "encoder", "model", "method", "weights", "synthetic", "seeds")},
        "embedded_seed": facts["seeds"][0],
        "components": list(folds[0].components),
        "groups": "guidance" if by_time else "survival intervals",
        "folds": [
            {
                "fold": fold.fold,
                "n_test": len(fold.patients),
                "perplexity": perplexity(len(fold.patients) * len(fold.components)),
            }
            for fold in folds
        ],
    }
