"""The patches that encoders are published for, and those that features were made from."""

from __future__ import annotations

from pathlib import Path

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


def made_from(path: Path) -> tuple[str, str]:
    """Return the encoder of a file of features, and its :func:`departure`, as far as the file tells.

    Raises
    ------
    InputError
        The file is damaged.
    """
    from ccl.io.formats import FeaturesHead, coords_attributes  # imports pandas, which planning does without

    about = coords_attributes(path)
    if not {"patch_size", "target_magnification"} <= about.keys():
        return "unknown", ""
    encoder = FeaturesHead.read(path).encoder
    scales = (10 / about["target_magnification"], *about.get("also_mpp", ()))
    return encoder, departure(encoder, about["patch_size"], *scales)
