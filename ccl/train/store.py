"""The files of training: the models of a fold, one per seed, and the checkpoint of an unfinished run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ccl.data.batch import Shape
from ccl.data.scaling import Scaler, Scalers
from ccl.io.checksums import MEND
from ccl.io.errors import DamageError, InputError
from ccl.io.files import intact, write_bytes
from ccl.methods import hyper
from ccl.methods.build import build
from ccl.methods.interface import SurvivalModel
from ccl.nn.replicas import Replicas
from ccl.train.loop import Course

DRAWN = 2
"""Most random numbers that a network draws for each of its weights, when it is built."""

LAYOUT = 2
"""Raise it when a checkpoint stores the state of the optimiser in another way; unfinished runs then start again."""


def save_models(
    path: Path,
    models: Mapping[tuple[int, ...], SurvivalModel],
    *,
    method: str,
    hyper: Any,
    shape: Shape,
    scalers: Scalers,
) -> None:
    """Write models, each with some of the seeds, atomically, with all that is needed to rebuild them.

    Tensors are named ``seed{s}/{weight or buffer}``, ``scaler/{family}/mean``, ``scaler/{family}/scale``,
    ``covariates/mean`` and ``covariates/scale``, likewise ``vectors``.  The metadata hold, as JSON under ``ccl``, the
    method, its hyper-parameters, the shape of the data and the order of the families.
    """
    tensors = {
        f"seed{seed}/{key}": value[number].cpu().contiguous()
        for seeds, model in models.items()
        for number, seed in enumerate(seeds)
        for key, value in model.state_dict().items()
    }
    named = {f"scaler/{family}": scaler for family, scaler in scalers.families.items()}
    if scalers.clinical:
        named["covariates"] = scalers.clinical
    if scalers.vectors:
        named["vectors"] = scalers.vectors
    for name, scaler in named.items():
        tensors[f"{name}/mean"] = torch.from_numpy(scaler.mean)
        tensors[f"{name}/scale"] = torch.from_numpy(scaler.scale)
    metadata = {"method": method, "hyper": asdict(hyper), "shape": shape.entries(), "families": list(scalers.families)}
    write_bytes(path, save(tensors, {"ccl": json.dumps(metadata)}), checksum=True)


def load_model(path: Path, seed: int) -> tuple[SurvivalModel, Scalers]:
    """Return the model of one seed, in evaluation mode, and its scalers.

    Raises
    ------
    InputError
        The file is missing or damaged, or has no model of this seed.
    """
    metadata, tensors = read_tensors(path)
    return build_model(metadata, tensors, seed, where=str(path))


def build_model(
    metadata: Mapping[str, Any], tensors: Mapping[str, Tensor], seed: int, *, where: str, device: str = "cpu"
) -> tuple[SurvivalModel, Scalers]:
    """Return the same as :func:`load_model` from a file that is already read; `where` is for the error message."""
    state = {name: value[None] for name, value in _under(f"seed{seed}/", tensors).items()}
    if not state:
        seeds = sorted({key.split("/")[0] for key in tensors if key.startswith("seed")})
        raise InputError(
            "no model of this seed",
            where=where,
            found=f"seed{seed}",
            expected=", ".join(seeds),
            todo="name one of these seeds",
        )
    shape = Shape.of(metadata["shape"])
    method = metadata["method"]
    replicas = Replicas((seed,), device, most=DRAWN * sum(value.numel() for value in state.values()))
    model = build(method, shape, hyper(method, metadata["hyper"]), replicas)
    replicas.most = None
    model.load_state_dict(state)
    families = {family: _scaler(f"scaler/{family}", tensors) for family in metadata["families"]}
    clinical = _scaler("covariates", tensors) if shape.clinical else None
    vectors = _scaler("vectors", tensors) if shape.vectors else None
    return model.to(device).eval(), Scalers(families, clinical, vectors)


def _scaler(name: str, tensors: Mapping[str, Tensor]) -> Scaler:
    return Scaler(tensors[f"{name}/mean"].numpy(), tensors[f"{name}/scale"].numpy())


def save_checkpoint(path: Path, key: str, model: SurvivalModel, course: Course) -> None:
    """Write the state of a run after an epoch atomically; `key` is a digest of all that the run depends on."""
    tensors = {f"model/{name}": value.cpu().contiguous() for name, value in model.state_dict().items()}
    tensors |= {f"optimiser/{name}": value.cpu().contiguous() for name, value in course.optimiser.items()}
    tensors |= {f"logits/{epoch}": value for epoch, value in enumerate(course.logits, start=1)}
    metadata = {"key": key, "epoch": course.epoch, "history": course.history, "chance": course.chance}
    write_bytes(path, save(tensors, {"ccl": json.dumps(metadata)}), checksum=True)


def load_checkpoint(path: Path, key: str, model: SurvivalModel) -> Course:
    """Set `model` to the state of a checkpoint and return the progress of its training.

    Raises
    ------
    InputError
        The file is damaged, or belongs to a run with another key.
    """
    metadata, tensors = read_tensors(path)
    if metadata["key"] != key:
        raise InputError(
            "a checkpoint of another run",
            where=str(path),
            found=f"key {metadata['key'][:12]}",
            expected=f"key {key[:12]}, of this config, code and data",
            todo="delete the file to train from the start",
        )
    model.load_state_dict(_under("model/", tensors))
    logits: list[Tensor] = [tensors[f"logits/{epoch}"] for epoch in range(1, metadata["epoch"] + 1)]
    optimiser = _under("optimiser/", tensors)
    return Course(metadata["epoch"], metadata["history"], logits, metadata["chance"], optimiser)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def read_tensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the metadata and the tensors of a safetensors file that ccl wrote; nothing in it is executed.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    try:
        with safe_open(intact(path), framework="pt") as file:
            metadata = dict(json.loads(file.metadata()["ccl"]))
            return metadata, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamageError(
            "not a model, or a damaged one",
            where=str(path),
            found=f"{type(error).__name__}: {error}",
            expected="a safetensors file with metadata `ccl`, as docs/formats.md describes train",
            todo=MEND,
        ) from error
