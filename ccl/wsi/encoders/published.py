"""The patches that encoders are published for, and those that features were made from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ccl.wsi.encoders.registry import ENCODERS


def patches_in_words(patch_px: float, *mpp: float) -> str:
    """Return the side and the scale or scales of patches.

    >>> patches_in_words(256, 0.5, 1.0)
    '256 px at 0.5 and 1 um/px'
    """
    return f"{patch_px:g} px at {' and '.join(f'{each:.4g}' for each in mpp)} um/px"


def departure(encoder: str, patch_px: float, *mpp: float) -> str:
    """Say in words that patches are not those that an encoder is published for; empty if they are, or none are."""
    found, published = patches_in_words(patch_px, *mpp), ENCODERS[encoder].published if encoder in ENCODERS else None
    if published is None or (wanted := patches_in_words(*published)) == found:
        return ""
    return f"patches of {found} (published: {wanted})"


class Made(NamedTuple):
    """What a file of features was made from."""

    encoder: str = "unknown"
    patches: str = ""
    """The patches in words; empty if the file does not tell."""
    departure: str = ""
    """As :func:`departure` says it."""


def made_from(path: Path) -> Made:
    """Return what a file of features was made from, as far as it tells.

    Raises
    ------
    InputError
        The file is damaged.
    """
    from ccl.io.formats import FeaturesHead, coords_attributes  # imports pandas, which planning does without

    about = coords_attributes(path)
    if not {"patch_size", "target_magnification"} <= about.keys():
        return Made()
    encoder = FeaturesHead.read(path).encoder
    patches = (about["patch_size"], 10 / about["target_magnification"], *about.get("also_mpp", ()))
    return Made(encoder, patches_in_words(*patches), departure(encoder, *patches))
