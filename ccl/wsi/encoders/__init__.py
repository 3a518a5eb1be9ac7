"""The patch encoders: a registry that is data, and any other model of timm by its name."""

from __future__ import annotations

from ccl.io.errors import ConfigError
from ccl.wsi.encoders.entry import Encoder
from ccl.wsi.encoders.registry import ENCODERS

__all__ = ["ENCODERS", "Encoder", "check_source", "get_encoder"]


def get_encoder(name: str) -> Encoder:
    """Return the encoder called `name`: of the registry, or else of timm, which is imported only then.

    Raises
    ------
    ConfigError
        Neither knows the name.
    """
    if name in ENCODERS:
        return ENCODERS[name]
    from ccl.wsi.encoders.timm_models import timm_encoder

    encoder = timm_encoder(name)
    if encoder is None:
        raise ConfigError(
            "unknown encoder",
            where="config, embed: encoders",
            found=name,
            expected=", ".join(sorted(ENCODERS)) + "; or the name of a model of timm",
            todo="correct the name; `ccl encoders` lists what there is",
        )
    return encoder


def check_source(name: str, weights: str) -> None:
    """Refuse what can be known to be impossible without looking for any file: an unknown encoder, or no such hub.

    Raises
    ------
    ConfigError
        The encoder is unknown, or is to come from a hub that does not have it.
    """
    encoder = get_encoder(name)
    if weights == "hub" and not encoder.repo:
        raise ConfigError(
            "the encoder's weights are not on the hub",
            where=f"config, embed: encoders: {name}",
            found="weights: hub",
            expected="the path of a downloaded file",
            todo=f"download {encoder.page} and set `embed: encoders: {name}: weights:` to its path",
        )
