"""The train stage: one fold of a method in, its history, predictions and models out."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ccl import __version__
from ccl.devices import pick_device
from ccl.files import digest, sha256, write_json, write_table
from ccl.models import get_method, hyper, load
from ccl.models.interface import SurvivalModel
from ccl.train import VERSION, TrainSettings
from ccl.train.data import Fold, Inputs, load_fold
from ccl.train.loop import Course, train_replicas
from ccl.train.store import load_checkpoint, save_checkpoint, save_models


def train_fold(
    *,
    cohort: str,
    encoder: str,
    model: str,
    method: str,
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
    model, method, overrides
        What the run is called, its method, and the method's hyper-parameters that differ from its defaults.
    patients, folds, genomics, clusters
        Files of the stages before; None for what the method does not read.
    device, threads
        ``auto``, ``cpu`` or ``cuda``; CPU threads of torch, in this whole process.

    Raises
    ------
    ConfigError, ModelError
        As :func:`ccl.models.hyper`, :func:`pick_device`, :func:`load_fold` and :func:`train_replicas` say.
    """
    torch.set_num_threads(threads)
    chosen, inputs = hyper(method, overrides), Inputs(patients, folds, genomics, clusters)
    data = load_fold(get_method(method), inputs, fold, settings=settings, device=pick_device(device))
    # The key is part of the name: a run with another config neither reads nor overwrites what this one left.
    key = digest(VERSION, method, asdict(chosen), asdict(settings), fold, *map(sha256, inputs.paths))
    checkpoint = out / f"checkpoint.{key[:12]}.safetensors"

    def resume(fresh: SurvivalModel) -> Course:
        return load_checkpoint(checkpoint, key, fresh) if checkpoint.exists() else Course()

    def save(trained: SurvivalModel, course: Course) -> None:
        save_checkpoint(checkpoint, key, trained, course)

    trained = train_replicas(load(method), chosen, data, settings=settings, resume=resume, save=save)
    write_table(out / "history.csv", trained.history)
    write_table(out / "predictions.csv", trained.predictions)
    save_models(
        out / "model.safetensors",
        trained.model,
        seeds=settings.seeds,
        method=method,
        hyper=chosen,
        shape=data.shape,
        scalers=data.scalers,
    )
    names = {"cohort": cohort, "encoder": encoder, "model": model, "method": method, "fold": fold}
    labels = {"weights": data.weights, "synthetic": synthetic}
    parameters = sum(weight.numel() for weight in trained.model.parameters()) // len(settings.seeds)
    write_json(
        out / "run.json",
        {
            **names,
            **labels,
            "hyper": asdict(chosen),
            "parameters": parameters,
            **_record(data, settings),
            "facts": dict(trained.facts),
        },
    )
    for file in out.glob("checkpoint.*.safetensors"):
        file.unlink()


def _record(data: Fold, settings: TrainSettings) -> dict[str, Any]:
    """Return the part of ``run.json`` that tells of the data and the settings."""
    return {
        "settings": asdict(settings),
        "seeds": list(settings.seeds),
        "interval_edges": data.edges.tolist(),
        "families": {name: list(columns) for name, columns in data.families.items()},
        "n_train": len(data.train.patients),
        "n_test": len(data.test.patients),
        "k": data.shape.clusters or None,
        "empty_clusters": data.empty_clusters,
        "left_out": dict(data.left_out),
        "versions": {
            "ccl": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "numpy", "scikit-learn")},
        },
    }
