"""Building an encoder with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

from ccl.encoders import Encoder
from ccl.errors import ConfigError
from ccl.files import existing, sha256

RANDOM_SEED = 0
"""Random weights are the same ones everywhere."""


class PatchEncoder(nn.Module):
    """uint8 patches (B, 3, H, W) in, float32 embeddings (B, D) out: resize, normalise, backbone, average."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, backbone: nn.Module) -> None:
        super().__init__()
        self.input_px = encoder.input_px
        self.backbone = backbone
        self.register_buffer("mean", 255 * torch.tensor(encoder.mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(encoder.std).view(1, 3, 1, 1))

    def forward(self, patches: Tensor) -> Tensor:
        """Embed a batch of patches."""
        if patches.shape[-1] != self.input_px:
            patches = transforms.resize(patches, [self.input_px, self.input_px], antialias=True)
        levels: list[Tensor] = self.backbone((patches.float() - self.mean) / self.std)
        return levels[0].mean(dim=(2, 3)).float()


def weights_key(weights: str, expected_sha256: str | None) -> str:
    """Return what the weights are, for keys and labels: ``hub``, ``random`` or ``file:<sha256>``.

    Raises
    ------
    ConfigError
        A local file hashes to something else than the config says.
    """
    if weights in ("hub", "random"):
        return weights
    found = sha256(existing(Path(weights)))
    if expected_sha256 not in (None, found):
        raise ConfigError(
            "the weights are not the ones expected",
            where=weights,
            found=f"sha256 {found}",
            expected=f"sha256 {expected_sha256}",
            todo="download the file again, or correct `sha256` in the config",
        )
    return f"file:{found}"


def build_encoder(encoder: Encoder, weights: str) -> PatchEncoder:
    """Build an encoder in evaluation mode.

    Parameters
    ----------
    weights : str
        ``hub`` (timm downloads or finds them in its cache), ``random``, or the path of a ``.pth`` or
        ``.safetensors`` state dictionary, which is never unpickled.

    Raises
    ------
    ConfigError
        The hub cannot be reached, or the file lacks or misshapes a weight.
    """
    torch.manual_seed(RANDOM_SEED)
    backbone = _backbone(encoder, pretrained=weights == "hub")
    if weights not in ("hub", "random"):
        _load(backbone, Path(weights))
    return PatchEncoder(encoder, backbone).eval()


def _backbone(encoder: Encoder, *, pretrained: bool) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(
            encoder.timm_name, pretrained=pretrained, features_only=True, out_indices=(encoder.block,)
        )
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            "the hub's weights cannot be had",
            where=f"encoder {encoder.name} ({encoder.timm_name})",
            found=" ".join(str(error).split())[:200],
            expected="a connection, or the weights in the hub's local cache",
            todo=f"on a machine with a connection download timm/{encoder.timm_name}, copy the file here and set "
            f"`embed: encoders: {encoder.name}: weights:` to its path",
        ) from error
    return model


def _load(backbone: nn.Module, path: Path) -> None:
    try:
        state: dict[str, Any] = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
        # A classifier's own layers are not part of the backbone; everything the backbone has must be there.
        missing = backbone.load_state_dict(state, strict=False).missing_keys
    except Exception as error:  # torch raises a different class for each way a file can be wrong
        raise ConfigError(
            "the weights do not fit the encoder, or are not a state dictionary",
            where=str(path),
            found=" ".join(str(error).split())[:200],
            expected="tensors by name, saved by torch.save(model.state_dict()) or safetensors",
            todo="check that the file belongs to this encoder",
        ) from error
    if missing:
        raise ConfigError(
            "the weights are not complete",
            where=str(path),
            found=f"no {missing[0]} ({len(missing)} weights missing)",
            expected="every weight of the backbone",
            todo="check that the file belongs to this encoder",
        )
