"""The patch encoders: a registry of entries, and any other model of timm by its name."""

from __future__ import annotations

from ccl.io.errors import ConfigError
from ccl.wsi.encoders.entry import Encoder
from ccl.wsi.encoders.registry import ENCODERS

__all__ = ["ENCODERS", "Encoder", "check_source", "get_encoder"]


def get_encoder(name: str) -> Encoder:
    """Return the encoder called `name`, from the registry or else from timm, which is imported only then.

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
            todo="correct the name; `ccl encoders` lists the known encoders",
        )
    return encoder


def check_source(name: str, weights: str) -> None:
    """Raise ConfigError for an unknown encoder, or one without weights on a hub; no file is looked for.

    Raises
    ------
    ConfigError
        The encoder is unknown, or its weights are to come from a hub that does not have them.
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
