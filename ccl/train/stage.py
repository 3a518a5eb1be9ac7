"""The train stage: trains a method on one fold and writes its history, predictions and models."""

from __future__ import annotations

import math
import platform
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from ccl import __version__
from ccl.config.keys import recorded
from ccl.config.sections import Track, TrainSettings
from ccl.data.fold import Fold, Inputs, load_fold
from ccl.data.patients import Side
from ccl.evaluate.concordance import concordance_index
from ccl.io.checksums import FOLDER, sha256
from ccl.io.devices import peak_memory_mb, pick_device
from ccl.io.errors import ConfigError, DamageError
from ccl.io.files import UNFINISHED, digest, write_json, write_table
from ccl.io.origin import record
from ccl.io.progress import say
from ccl.methods import get_method, hyper, in_config_of
from ccl.methods.build import build
from ccl.methods.declaration import Method, Recipe
from ccl.methods.interface import SurvivalModel
from ccl.train import version
from ccl.train.learning import ADVICE, LAST_EPOCHS, LEAST_C_INDEX, has_learnt, training_c_index
from ccl.train.loop import Course, Trained, train_replicas
from ccl.train.store import LAYOUT, load_checkpoint, save_checkpoint, save_models
from ccl.train.tracks import choose_recipe


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
        Written to ``run.json``; `encoder` is ``none`` for a method that reads no slides.
    model, method, overrides
        Name of the model in the config, its method, and the hyper-parameters that differ from the method's defaults.
    track
        Train by the `settings`, or as the method's authors do.
    inputs
        Files of earlier stages.
    device, threads
        ``auto``, ``cpu`` or ``cuda``; CPU threads of torch, for this whole process.
    bags
        ``disk`` reads a patient's patches again each time; ``memory`` keeps them.

    Raises
    ------
    ConfigError, ModelError
        As :func:`ccl.methods.hyper`, :func:`choose_recipe`, :func:`pick_device`, :func:`load_fold` and
        :func:`train_replicas` say; or no epoch can be chosen by the patients held out.
    """
    torch.set_num_threads(threads)
    torch_device, declared = pick_device(device), get_method(method, clinical=inputs.clinical is not None)
    with in_config_of(model):
        recipe = choose_recipe(declared, settings, track)
    chosen = hyper(method, {**recipe.hyper, **overrides}, model=model)
    data = load_fold(
        declared.reads,
        inputs,
        fold,
        intervals=settings.intervals,
        intervals_from=settings.intervals_from,
        inner=settings.inner,
        incomplete=settings.incomplete,
        drop_modality=settings.drop_modality,
        device=torch_device,
        keep_bags=bags == "memory",
    )
    if settings.inner:
        _check_inner(data.inner, settings.inner)
    _log(data, declared)
    train = partial(_train, method, chosen, data, recipe=recipe, drop_modality=settings.drop_modality, folder=out)
    # Bags differ in size, so networks that read bags are trained one after the other.
    groups = [settings.seeds] if data.train.bags is None else [(seed,) for seed in settings.seeds]
    # The key is part of the name: a run with another config neither reads nor overwrites this one's checkpoint.
    code = version(method, track)
    state = (LAYOUT, code, method, asdict(chosen), recorded(settings), asdict(recipe), fold)
    key = digest(*state, *map(sha256, inputs.paths))
    with in_config_of(model):
        trained = {seeds: train(seeds=seeds, key=digest(key, seeds)) for seeds in groups}
    history = pd.concat([one.history for one in trained.values()])
    _say_if_nothing_was_learnt(model, history)
    write_table(out / "history.csv", history, checksum=True)
    write_table(out / "predictions.csv", pd.concat([one.predictions for one in trained.values()]), checksum=True)
    save_models(
        out / "model.safetensors",
        {seeds: one.model for seeds, one in trained.items()},
        method=method,
        hyper=chosen,
        shape=data.shape,
        scalers=data.scalers,
    )
    seeds, first = next(iter(trained.items()))
    write_json(
        out / "run.json",
        {
            **{"cohort": cohort, "encoder": encoder, "model": model, "method": method, "fold": fold},
            **{"weights": data.weights, "synthetic": synthetic},
            "hyper": asdict(chosen),
            "parameters": sum(weight.numel() for weight in first.model.parameters()) // len(seeds),
            "track": track,
            "recipe": asdict(recipe),
            **_record(data, settings),
            "facts": {name: [x for one in trained.values() for x in one.facts[name]] for name in first.facts},
            "cost": _cost(first, seeds, torch_device, threads),
        },
        checksum=True,
    )
    record(
        "train",
        code,
        outputs=[out / name for name in ("run.json", "history.csv", "predictions.csv", "model.safetensors")],
        inputs=inputs.by_use,
        settings={**recorded(settings), "method": method, "fold": fold, "hyper": asdict(chosen)},
    )
    for pattern in ("checkpoint.*", f"{FOLDER}/checkpoint.*", f"{UNFINISHED}checkpoint.*"):
        for file in out.glob(pattern):
            file.unlink()


def _log(data: Fold, method: Method) -> None:
    """Say how many patients and deaths the fold loses because they are incomplete, and how many are kept."""
    sides = [side for side in (data.train, data.inner, data.test) if side is not None]
    kept, deaths = sum(len(side.patients) for side in sides), sum(int((side.censorship == 0).sum()) for side in sides)
    if data.left_out:
        lost, advice = len(data.left_out), "; `train: incomplete: keep` keeps those who have slides or genes"
        print(
            f"train: {lost} of {kept + lost} patients with {data.left_out_deaths} of {deaths + data.left_out_deaths}"
            f" deaths are left out, because they lack what {method.name} reads"
            + advice
            * (method.multimodal and not data.keeps),
            file=sys.stderr,
        )
    if data.lacking:
        counts = ", ".join(f"{count} with {lacks}" for lacks, count in Counter(data.lacking.values()).most_common())
        print(f"train: {len(data.lacking)} of {kept} patients are incomplete: {counts}", file=sys.stderr)


def _train(
    method: str,
    chosen: Any,
    data: Fold,
    *,
    recipe: Recipe,
    seeds: tuple[int, ...],
    drop_modality: float,
    key: str,
    folder: Path,
) -> Trained:
    """Train some seeds side by side, continuing a killed run of the same `key`."""
    checkpoint = folder / f"checkpoint.{key[:12]}.safetensors"

    def resume(fresh: SurvivalModel) -> Course:
        try:
            return load_checkpoint(checkpoint, key, fresh) if checkpoint.exists() else Course()
        except DamageError as error:
            say(f"train: the checkpoint is damaged, so training starts from the beginning: {error.line}")
            return Course()

    def save(trained: SurvivalModel, course: Course) -> None:
        save_checkpoint(checkpoint, key, trained, course)

    return train_replicas(
        partial(build, method),
        chosen,
        data,
        recipe=recipe,
        seeds=seeds,
        drop_modality=drop_modality,
        resume=resume,
        save=save,
    )


def _say_if_nothing_was_learnt(model: str, history: pd.DataFrame) -> None:
    if not has_learnt(history):
        say(
            f"train: {model} has not learnt: over the last {LAST_EPOCHS} epochs its C-index on its own training"
            f" patients is {training_c_index(history):.3f}, below {LEAST_C_INDEX}; {ADVICE}"
        )


def _check_inner(inner: Side | None, share: float) -> None:
    """Raise ConfigError if the C-index of the patients held out is not defined."""
    months, censorship = (inner.months, inner.censorship) if inner else (np.empty(0), np.empty(0, np.int64))
    if math.isnan(concordance_index(months, censorship, np.zeros(len(months)))):
        raise ConfigError(
            "the patients held out have no C-index, so no epoch can be selected",
            where=f"config, train: inner: {share:g}",
            found=f"{len(months)} patients, {int((censorship == 0).sum())} with an observed death",
            expected="at least one patient who died before another one",
            todo="raise `train: inner`, or set it to 0",
        )


def _cost(trained: Trained, seeds: tuple[int, ...], device: torch.device, threads: int) -> dict[str, Any]:
    """Return the cost of training, for ``run.json``."""
    return {
        "device": device.type,
        "threads": threads,
        "seconds_per_step": trained.step_seconds,
        "seconds_per_prediction": trained.predict_seconds,
        "seeds_per_step": len(seeds),
        "peak_memory_mb": peak_memory_mb(device),
    }


def _record(data: Fold, settings: TrainSettings) -> dict[str, Any]:
    """Return the part of ``run.json`` about the data and the settings."""
    return {
        "settings": recorded(settings),
        "seeds": list(settings.seeds),
        "interval_edges": data.edges.tolist(),
        "families": {name: list(columns) for name, columns in data.families.items()},
        **({"covariates": list(data.covariates)} if data.covariates else {}),
        "n_train": len(data.train.patients),
        **({"n_inner": len(data.inner.patients)} if data.inner else {}),
        "n_test": len(data.test.patients),
        "k": data.shape.clusters or None,
        "empty_clusters": data.empty_clusters,
        "left_out": dict(data.left_out),
        **({"lacking": dict(data.lacking)} if data.keeps else {}),
        "versions": {
            "ccl": __version__,
            "python": platform.python_version(),
            **{package: package_version(package) for package in ("torch", "numpy", "scikit-learn")},
        },
    }
