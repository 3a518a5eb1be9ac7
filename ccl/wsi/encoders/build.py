"""Building an encoder with its weights."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers.mlp import SwiGLUPacked
from torch import Tensor, nn
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from ccl.config.sections import NO_FILE
from ccl.wsi.encoders import Encoder, check_source
from ccl.wsi.encoders.hub import download, unavailable
from ccl.wsi.encoders.networks import NETWORKS
from ccl.wsi.encoders.pooling import POOLING
from ccl.wsi.encoders.weights import load_weights

RANDOM_SEED = 0
"""Seed of random weights, which are the same on every machine."""

HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}
LAYERS = {"SwiGLUPacked": SwiGLUPacked}
"""Layers that timm takes as classes, by their names in the registry."""


class PatchEncoder(nn.Module):
    """uint8 patches (B, 3, H, W) in, float32 embeddings (B, D) out: resize, crop, normalise, network, pool."""

    mean: Tensor
    std: Tensor
    ignored: tuple[str, ...] = ()
    """Weights of the file that do not belong to the encoder."""

    def __init__(self, encoder: Encoder, backbone: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.backbone = backbone
        self.prefix = getattr(backbone, "num_prefix_tokens", 0)
        self.register_buffer("mean", 255 * torch.tensor(encoder.mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(encoder.std).view(1, 3, 1, 1))

    @property
    def memory_format(self) -> torch.memory_format:
        """Memory layout of the weights: channels last speeds up convolutions, which transformers hardly have."""
        return torch.channels_last if self.encoder.pooling == "map" else torch.contiguous_format

    def pixels(self, patches: Tensor) -> Tensor:
        """Return the network's input (B, 3, input_px, input_px) for uint8 patches: resized, cropped and normalised."""
        side, resize = self.encoder.input_px, self.encoder.resize_px
        if patches.shape[-1] != resize:
            how = InterpolationMode(self.encoder.interpolation)
            patches = transforms.resize(patches, [resize, resize], how, antialias=True)
        if resize != side:
            patches = transforms.center_crop(patches, [side, side])
        return (patches.float() - self.mean) / self.std

    def forward(self, patches: Tensor) -> Tensor:
        """Embed a batch of patches."""
        pixels = self.pixels(patches)
        half = HALF.get(self.encoder.precision) if pixels.is_cuda else None
        with torch.autocast("cuda", half) if half else nullcontext():
            output = self.backbone(pixels)
        return POOLING[self.encoder.pooling](output, self.prefix)


def build_encoder(encoder: Encoder, weights: str) -> PatchEncoder:
    """Build an encoder in evaluation mode.

    Parameters
    ----------
    weights : str
        ``hub`` (downloaded, or found in the hub's cache), ``random``, or the path of a ``.pth`` or ``.safetensors``
        state dictionary, which is never unpickled.

    Raises
    ------
    ConfigError
        The hub has no such weights or cannot be reached, or a weight of the file is missing or has another shape.
    """
    if weights == "hub":
        check_source(encoder.name, weights)
    if weights == "hub" and encoder.file:
        weights = str(download(encoder))  # before the network is built, so that errors come at once
    by_timm = weights == "hub"
    torch.manual_seed(RANDOM_SEED)
    try:
        model = PatchEncoder(encoder, network(encoder, pretrained=by_timm))
    except (OSError, RuntimeError) as error:
        if by_timm:
            raise unavailable(encoder, error) from error
        raise
    if weights not in NO_FILE:
        model.ignored = tuple(load_weights(model.backbone, encoder, Path(weights)))
    return model.eval()


def network(encoder: Encoder, *, pretrained: bool = False) -> nn.Module:
    """Build the encoder's network; its weights are random unless timm loads them."""
    if encoder.architecture in NETWORKS:
        return NETWORKS[encoder.architecture]()
    options: dict[str, Any] = {
        key: LAYERS.get(value, value) if isinstance(value, str) else value for key, value in encoder.options.items()
    }
    model: nn.Module = timm.create_model(encoder.architecture, pretrained=pretrained, **options)
    return model
