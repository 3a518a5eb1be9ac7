"""The patch encoders, as data: one entry each, no code."""

from __future__ import annotations

from dataclasses import dataclass

from ccl.errors import ConfigError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Encoder:
    """What has to be known to embed a patch."""

    name: str
    timm_name: str
    """The model in timm, whose hub weights are used."""
    block: int
    """Feature level of the backbone whose global average is the embedding."""
    dim: int
    """Width D of the embedding."""
    input_px: int
    """Patches are resized to this side before the network."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    citation: str


ENCODERS = {
    encoder.name: encoder
    for encoder in (
        Encoder(
            name="resnet50",
            timm_name="resnet50.tv_in1k",
            block=3,
            dim=1024,
            input_px=224,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            licence="BSD-3-Clause",
            citation="He et al., CVPR 2016; the third block as in Lu et al., Nat. Biomed. Eng. 2021",
        ),
    )
}


def get_encoder(name: str) -> Encoder:
    """Return the encoder called `name`, or raise :class:`ConfigError` listing those there are."""
    if name not in ENCODERS:
        raise ConfigError(
            "unknown encoder",
            where="config, embed: encoders",
            found=name,
            expected=", ".join(sorted(ENCODERS)),
            todo="correct the name",
        )
    return ENCODERS[name]
