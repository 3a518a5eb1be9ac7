"""Stage ``embed``: one vector per patch, by a pre-trained encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccl.config.settings import setting

VERSION = 2
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class EmbedSettings:
    """Which encoder, with which weights, stored how."""

    encoder: str = setting("name of the encoder")
    weights: str = setting("hub, random, or the path of a local file")
    sha256: str | None = setting("what the local file must hash to")
    dtype: Literal["float16", "float32"] = setting("storage of the features")
