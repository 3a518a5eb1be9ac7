"""The train stage: one fold of a method in, its history, predictions and models out."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pandas as pd
import torch

from ccl import __version__
from ccl.data.fold import Fold, Inputs, load_fold
from ccl.io.devices import peak_memory_mb, pick_device
from ccl.io.files import digest, sha256, write_json, write_table
from ccl.methods import get_method, hyper, load
from ccl.methods.interface import SurvivalModel
from ccl.methods.recipes import Recipe
from ccl.train import VERSION, TrainSettings
from ccl.train.loop import Course, Trained, train_replicas
from ccl.train.store import load_checkpoint, save_checkpoint, save_models
from ccl.train.tracks import Track, recipe_of


def train_fold(
    *,
    cohort: str,
    encoder: str,
    model: str,
    method: str,
    fold: int,
    overrides: Mapping[str, Any],
    settings: TrainSettings,
    track: Track,
    inputs: Inputs,
    out: Path,
    synthetic: bool,
    device: str,
    threads: int,
    bags: Literal["disk", "memory"],
) -> None:
    """Train a method on one fold, once per seed, and write `out` as docs/formats.md describes the train stage.

    Parameters
    ----------
    cohort, encoder, synthetic
        For the record alone; `encoder` is ``none`` for a method that reads no slides.
    model, method, overrides
        What the run is called, its method, and the method's hyper-parameters that differ from its defaults.
    track
        Trained as `settings` say, or as the method's authors do.
    inputs
        Files of the stages before.
    device, threads
        ``auto``, ``cpu`` or ``cuda``; CPU threads of torch, in this whole process.
    bags
        ``disk`` reads a patient's patches each time anew; ``memory`` keeps them.

    Raises
    ------
    ConfigError, ModelError
        As :func:`ccl.methods.hyper`, :func:`recipe_of`, :func:`pick_device`, :func:`load_fold` and
        :func:`train_replicas` say.
    """
    torch.set_num_threads(threads)
    module, torch_device = load(method), pick_device(device)
    recipe = recipe_of(module, settings, track)
    chosen = hyper(method, {**recipe.hyper, **overrides})
    data = load_fold(
        get_method(method), inputs, fold, settings=settings, device=torch_device, keep_bags=bags == "memory"
    )
    # Bags differ in size, so networks that read them are trained one after the other.
    groups = [settings.seeds] if data.train.bags is None else [(seed,) for seed in settings.seeds]
    # The key is part of the name: a run with another config neither reads nor overwrites what this one left.
    key = digest(VERSION, method, asdict(chosen), settings.stated(), asdict(recipe), fold, *map(sha256, inputs.paths))
    trained = {
        seeds: _train(module, chosen, data, recipe=recipe, seeds=seeds, key=digest(key, seeds), folder=out)
        for seeds in groups
    }
    write_table(out / "history.csv", pd.concat([one.history for one in trained.values()]))
    write_table(out / "predictions.csv", pd.concat([one.predictions for one in trained.values()]))
    save_models(
        out / "model.safetensors",
        {seeds: one.model for seeds, one in trained.items()},
        method=method,
        hyper=chosen,
        shape=data.shape,
        scalers=data.scalers,
    )
    names = {"cohort": cohort, "encoder": encoder, "model": model, "method": method, "fold": fold}
    labels = {"weights": data.weights, "synthetic": synthetic}
    seeds, first = next(iter(trained.items()))
    write_json(
        out / "run.json",
        {
            **names,
            **labels,
            "hyper": asdict(chosen),
            "parameters": sum(weight.numel() for weight in first.model.parameters()) // len(seeds),
            "track": track,
            "recipe": asdict(recipe),
            **_record(data, settings),
            "facts": {name: [x for one in trained.values() for x in one.facts[name]] for name in first.facts},
            "cost": {
                "device": torch_device.type,
                "threads": threads,
                "seconds_per_step": first.step_seconds,
                "seconds_per_prediction": first.predict_seconds,
                "seeds_per_step": len(seeds),
                "peak_memory_mb": peak_memory_mb(torch_device),
            },
        },
    )
    for file in out.glob("checkpoint.*.safetensors"):
        file.unlink()


def _train(
    module: ModuleType, chosen: Any, data: Fold, *, recipe: Recipe, seeds: tuple[int, ...], key: str, folder: Path
) -> Trained:
    """Train some seeds side by side, going on from where a killed run of the same `key` had come."""
    checkpoint = folder / f"checkpoint.{key[:12]}.safetensors"

    def resume(fresh: SurvivalModel) -> Course:
        return load_checkpoint(checkpoint, key, fresh) if checkpoint.exists() else Course()

    def save(trained: SurvivalModel, course: Course) -> None:
        save_checkpoint(checkpoint, key, trained, course)

    return train_replicas(module, chosen, data, recipe=recipe, seeds=seeds, resume=resume, save=save)


def _record(data: Fold, settings: TrainSettings) -> dict[str, Any]:
    """Return the part of ``run.json`` that tells of the data and the settings."""
    return {
        "settings": settings.stated(),
        "seeds": list(settings.seeds),
        "interval_edges": data.edges.tolist(),
        "families": {name: list(columns) for name, columns in data.families.items()},
        "n_train": len(data.train.patients),
        **({"n_inner": len(data.inner.patients)} if data.inner else {}),
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
