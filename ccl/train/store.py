"""``model.safetensors``: the models of a fold, one per seed, and the scaling that their input needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ccl.errors import InputError
from ccl.files import atomic_path, existing
from ccl.models import hyper, load
from ccl.models.interface import Shape, SurvivalModel
from ccl.train.data import Scaler


def save_models(
    path: Path,
    models: Mapping[int, SurvivalModel],
    *,
    name: str,
    hyper: Any,
    shape: Shape,
    scalers: Mapping[str, Scaler],
) -> None:
    """Write the models by seed atomically, with all that is needed to build them again.

    Tensors are called ``seed{s}/{weight or buffer}``, ``scaler/{family}/mean`` and ``scaler/{family}/scale``; the
    metadata hold, as JSON under ``ccl``, the method, its hyper-parameters, the shape of the data and the order of
    the families.
    """
    tensors = {
        f"seed{seed}/{key}": value.detach().cpu().contiguous()
        for seed, model in models.items()
        for key, value in model.state_dict().items()
    }
    for family, scaler in scalers.items():
        tensors[f"scaler/{family}/mean"] = torch.from_numpy(scaler.mean)
        tensors[f"scaler/{family}/scale"] = torch.from_numpy(scaler.scale)
    metadata = {"model": name, "hyper": asdict(hyper), "shape": asdict(shape), "families": list(scalers)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {"ccl": json.dumps(metadata)})


def load_model(path: Path, seed: int) -> tuple[SurvivalModel, dict[str, Scaler]]:
    """Return the model of one seed, in evaluation mode, and the scaler of each family in the model's order.

    Raises
    ------
    InputError
        The file is missing or damaged, or holds no model of this seed.
    """
    try:
        with safe_open(existing(path), framework="pt") as file:
            metadata = json.loads(file.metadata()["ccl"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise InputError(
            "not a model, or a damaged one",
            where=str(path),
            found=str(error),
            todo="delete the file and run its stage again with --forcerun train",
        ) from error
    state = {
        key.removeprefix(f"seed{seed}/"): value for key, value in tensors.items() if key.startswith(f"seed{seed}/")
    }
    if not state:
        seeds = sorted({key.split("/")[0] for key in tensors if key.startswith("seed")})
        raise InputError(
            "no model of this seed",
            where=str(path),
            found=f"seed{seed}",
            expected=", ".join(seeds),
            todo="name one of these",
        )
    shape = Shape(**{**metadata["shape"], "families": tuple(metadata["shape"]["families"])})
    model: SurvivalModel = load(metadata["model"]).Model(shape, hyper(metadata["model"], metadata["hyper"]))
    model.load_state_dict(state)
    scalers = {
        family: Scaler(tensors[f"scaler/{family}/mean"].numpy(), tensors[f"scaler/{family}/scale"].numpy())
        for family in metadata["families"]
    }
    return model.eval(), scalers
