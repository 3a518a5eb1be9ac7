"""The train stage: one fold of a method in, its history, predictions and models out."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ccl import __version__
from ccl.devices import pick_device
from ccl.files import write_json, write_table
from ccl.models import get_method, hyper, load
from ccl.train import TrainSettings
from ccl.train.data import Fold, Inputs, load_fold
from ccl.train.loop import train_seed
from ccl.train.store import save_models


def train_fold(
    *,
    cohort: str,
    encoder: str,
    model: str,
    fold: int,
    overrides: Mapping[str, Any],
    settings: TrainSettings,
    patients: Path,
    folds: Path,
    genomics: Path | None,
    clusters: Path | None,
    out: Path,
    synthetic: bool,
    device: str,
    threads: int,
) -> None:
    """Train a method on one fold, once per seed, and write `out` as docs/formats.md describes the train stage.

    Parameters
    ----------
    cohort, encoder, synthetic
        For the record alone; `encoder` is ``none`` for a method that reads no slides.
    model, overrides
        Name of the method, and those of its hyper-parameters that differ from its defaults.
    patients, folds, genomics, clusters
        Files of the stages before; None for what the method does not read.
    device, threads
        ``auto``, ``cpu`` or ``cuda``; CPU threads of torch, in this whole process.

    Raises
    ------
    ConfigError, ModelError
        As :func:`ccl.models.hyper`, :func:`pick_device`, :func:`load_fold` and :func:`train_seed` say.
    """
    torch.set_num_threads(threads)
    method, chosen = get_method(model), hyper(model, overrides)
    data = load_fold(
        method, Inputs(patients, folds, genomics, clusters), fold, settings=settings, device=pick_device(device)
    )
    runs = {seed: train_seed(load(model), chosen, data, settings=settings, seed=seed) for seed in settings.seeds}
    models = {seed: run.model for seed, run in runs.items()}
    write_table(out / "history.csv", pd.concat([run.history for run in runs.values()]))
    write_table(out / "predictions.csv", pd.concat([run.predictions for run in runs.values()]))
    save_models(out / "model.safetensors", models, name=model, hyper=chosen, shape=data.shape, scalers=data.scalers)
    names = {"cohort": cohort, "encoder": encoder, "model": model, "fold": fold}
    labels = {"weights": data.weights, "synthetic": synthetic}
    parameters = sum(weight.numel() for weight in next(iter(models.values())).parameters())
    write_json(
        out / "run.json",
        {**names, **labels, "hyper": asdict(chosen), "parameters": parameters, **_record(data, settings)},
    )


def _record(data: Fold, settings: TrainSettings) -> dict[str, Any]:
    """Return the part of ``run.json`` that tells of the data and the settings."""
    return {
        "settings": asdict(settings),
        "seeds": list(settings.seeds),
        "interval_edges": data.edges.tolist(),
        "families": {name: list(columns) for name, columns in data.families.items()},
        "n_train": len(data.train.patients),
        "n_test": len(data.test.patients),
        "left_out": dict(data.left_out),
        "versions": {
            "ccl": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "numpy", "scikit-learn")},
        },
    }
