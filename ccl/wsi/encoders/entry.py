"""The facts about an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Triple = tuple[float, float, float]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One encoder: the network, the source of its weights, its input, and its licence."""

    name: str
    dim: int
    """Width D of the embedding."""
    architecture: str
    """A model of timm, or one of :mod:`ccl.wsi.encoders.networks`."""
    options: Mapping[str, Any]
    """Arguments of the architecture."""
    pooling: Literal["map", "class", "class+mean", "network"]
    """How the network's output becomes the embedding (:mod:`ccl.wsi.encoders.pooling`)."""

    repo: str = ""
    """Repository on the Hugging Face hub; empty if the user must download the weights by hand."""
    file: str = ""
    """File of the repository; empty if timm loads the weights itself."""
    url: str = ""
    """Page of the weights if they are not on the hub."""
    layout: Literal["timm", "huggingface", "clip", "conch", "swin"] = "timm"
    """Naming scheme of the weights (:mod:`ccl.wsi.encoders.layouts`)."""
    positions: Literal["exact", "dino", "bicubic", "bilinear"] = "exact"
    """How to interpolate position embeddings learnt on another grid; `exact` refuses them."""

    input_px: int = 224
    """Side of the network's input, which is the centre of the resized patch."""
    resize_px: int = 224
    """Side to which a patch is resized."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """Precision on a GPU; a CPU always uses fp32."""

    mpp: tuple[float, ...] = ()
    """Scales (um/px) that the encoder was trained at; empty if its pictures had no common scale."""
    patch_px: int = 256
    """Side of the patches at these scales."""
    tiled_mpp: float | None = None
    """Scale (um/px) of :attr:`published` if the encoder was trained at several."""
    tiled_by: str = ""
    """Source of :attr:`published`."""
    access: Literal["open", "gated"] = "open"
    licence: str
    citation: str

    @property
    def page(self) -> str:
        """Page with the weights and the licence."""
        return self.url or f"https://huggingface.co/{self.repo}"

    @property
    def published(self) -> tuple[int, float] | None:
        """Side (px) and scale (um/px) of the patches that the encoder is published for; None if none are stated."""
        return (self.patch_px, self.tiled_mpp or self.mpp[0]) if self.mpp else None

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields that the embedding depends on; changes of citation or licence do not change features."""
        about = ("mpp", "patch_px", "tiled_mpp", "tiled_by", "access", "licence", "citation")
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in about}
