"""What has to be known of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Triple = tuple[float, float, float]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One encoder: the network, where its weights are, what it sees, and under which terms."""

    name: str
    dim: int
    """Width D of the embedding."""
    architecture: str
    """A model of timm, or one of :mod:`ccl.wsi.encoders.networks`."""
    options: Mapping[str, Any]
    """What the architecture is built with."""
    pooling: Literal["map", "class", "class+mean", "network"]
    """How the network's output becomes the embedding (:mod:`ccl.wsi.encoders.pooling`)."""

    repo: str = ""
    """Repository on the Hugging Face hub; none where the weights have to be brought."""
    file: str = ""
    """File of the repository; none where timm itself knows how to load its model."""
    url: str = ""
    """Where the weights are if they are on no hub."""
    layout: Literal["timm", "huggingface", "clip", "conch", "swin"] = "timm"
    """Whose names the weights have (:mod:`ccl.wsi.encoders.layouts`)."""
    positions: Literal["exact", "dino", "bicubic", "bilinear"] = "exact"
    """How position embeddings learnt on another grid are fitted to this one; `exact` refuses them."""

    input_px: int = 224
    """Side of what the network sees: the centre of the resized patch."""
    resize_px: int = 224
    """Side that a patch is resized to."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """What a GPU computes in; a CPU always takes fp32."""

    mpp: tuple[float, ...] = ()
    """Scales (um/px) that the encoder was trained at; none where its pictures had no common scale."""
    patch_px: int = 256
    """Side of the patches at these scales."""
    access: Literal["open", "gated"] = "open"
    licence: str
    citation: str

    @property
    def page(self) -> str:
        """Where weights and licence are."""
        return self.url or f"https://huggingface.co/{self.repo}"

    @property
    def recipe(self) -> dict[str, Any]:
        """What the embedding depends on; a better citation changes no feature."""
        about = ("mpp", "patch_px", "access", "licence", "citation")
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in about}
