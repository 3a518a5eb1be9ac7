"""Weights of encoders: their source, their hash, and whether they fit."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ccl.config.sections import NO_FILE
from ccl.io.bounds import check_archive
from ccl.io.checksums import sha256
from ccl.io.errors import ConfigError
from ccl.wsi.encoders import Encoder
from ccl.wsi.encoders.layouts import LAYOUTS, PREFIXES, WRAPPERS, State, fit_positions


def weights_key(weights: str, expected_sha256: str | None) -> str:
    """Return the identity of the weights, for keys and labels: ``hub``, ``random`` or ``file:<sha256>``.

    Raises
    ------
    ConfigError
        There is no such file, or its hash differs from that of the config.
    """
    if weights in NO_FILE:
        return weights
    try:
        found = sha256(Path(weights))
    except OSError as error:
        raise ConfigError(
            "the weights of the encoder cannot be read",
            where=weights,
            found=error.strerror or str(error),
            expected="a .pth or .safetensors file",
            todo="correct `weights` in the config, or put the file there",
        ) from error
    if expected_sha256 not in (None, found):
        raise ConfigError(
            "the weights are not the ones expected",
            where=weights,
            found=f"sha256 {found}",
            expected=f"sha256 {expected_sha256}",
            todo="download the file again, or correct `sha256` in the config",
        )
    return f"file:{found}"


def load_weights(backbone: nn.Module, encoder: Encoder, path: Path) -> list[str]:
    """Load all weights of `backbone` from a file and check their shapes; nothing is unpickled.

    Returns
    -------
    list of str
        The file's weights that do not belong to the backbone, such as a classifier.

    Raises
    ------
    ConfigError
        The file is not a state dictionary, or a weight is missing or has another shape.
    """
    state = _layout({PREFIXES.sub("", name): value for name, value in read_tensors(path).items()}, encoder, path)
    own = backbone.state_dict()
    if "pos_embed" in own or "trunk.pos_embed" in own:
        name = "pos_embed" if "pos_embed" in own else "trunk.pos_embed"
        if name in state and state[name].ndim == 3:
            trunk: Any = backbone if name == "pos_embed" else backbone.trunk
            prefix = 0 if trunk.no_embed_class else trunk.num_prefix_tokens
            state[name] = fit_positions(state[name], own[name], encoder.positions, prefix=prefix)
    check_tensors(own, state, f"encoder {encoder.name}", path)
    backbone.load_state_dict({name: state[name] for name in own})
    return sorted(state.keys() - own.keys())


def read_tensors(path: Path) -> State:
    """Return the tensors of a state dictionary by their names in the file, without wrappers; nothing is unpickled.

    Raises
    ------
    ConfigError
        The file is damaged, or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            # DINO's checkpoints hold the arguments of their training: names and values, and no code.
            check_archive(path)
            with torch.serialization.safe_globals([argparse.Namespace]):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many classes of errors for damaged files
        raise _misfit(path, " ".join(str(error).split())[:200]) from error
    while isinstance(content, Mapping):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise _misfit(path, f"{type(content).__name__} without tensors")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _layout(state: State, encoder: Encoder, path: Path) -> State:
    try:
        return LAYOUTS[encoder.layout](state)
    except (RuntimeError, IndexError, KeyError) as error:
        raise _misfit(path, " ".join(str(error).split())[:200]) from error


def check_tensors(own: Mapping[str, Tensor], state: State, network: str, path: Path) -> None:
    """Raise ConfigError unless the file at `path` has every weight of a network, in its shape."""
    missing = [name for name in own if name not in state]
    if missing:
        raise ConfigError(
            "the weights are not complete",
            where=f"{path}, {network}",
            found=f"no {missing[0]} ({len(missing)} of {len(own)} weights missing)",
            expected="every weight of the network",
            todo="check that the file belongs to this network",
        )
    for name, value in own.items():
        if state[name].shape != value.shape:
            found = f"{name} of shape {tuple(state[name].shape)}"
            raise _misfit(path, found, f"shape {tuple(value.shape)}, of {network}")


def _misfit(path: Path, found: str, expected: str = "") -> ConfigError:
    return ConfigError(
        "the weights do not fit the network, or are not a state dictionary",
        where=str(path),
        found=found,
        expected=expected or "tensors by name, saved by torch.save(model.state_dict()) or safetensors",
        todo="check that the file belongs to this network",
    )
