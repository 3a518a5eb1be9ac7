"""Any model of timm as an encoder, by its name."""

from __future__ import annotations

import timm
import torch

from ccl.wsi.encoders.entry import Encoder


def timm_encoder(name: str) -> Encoder | None:
    """Return timm's model `name` as an encoder, or None if timm has no such model.

    The whole patch is resized to the size of the model's training, and normalised and pooled as timm does.
    """
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # the model exists, but not the tag after the dot
        return None
    if config is None:
        return None
    side = config.input_size[-1]
    (red, green, blue), (red_std, green_std, blue_std) = config.mean, config.std
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0).eval()
        dim = model(torch.empty(1, *config.input_size)).shape[1]
    return Encoder(
        name=name,
        dim=dim,
        architecture=name,
        options={"num_classes": 0},
        pooling="network",
        repo=config.hf_hub_id or "",
        url="" if config.hf_hub_id else str(config.url or ""),
        input_px=side,
        resize_px=side,
        interpolation="bicubic" if config.interpolation == "bicubic" else "bilinear",
        mean=(red, green, blue),
        std=(red_std, green_std, blue_std),
        licence=config.license or "see its page",
        citation="Wightman, PyTorch Image Models, 2019",
    )
