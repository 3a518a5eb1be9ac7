"""Whether the scale of patches matches an encoder's training, and the patches that it is published for."""

from __future__ import annotations

from ccl.wsi.encoders.entry import Encoder

TOLERANCE = 1.25
"""Warn if the side of patches is this many times longer or shorter than in the encoder's training."""


def scale_warning(encoder: Encoder, patch_px: int, mpp: float) -> str | None:
    """Return a warning if patches of `patch_px` at `mpp` (um/px) differ clearly in extent from the encoder's own.

    Only the side in um counts, because every patch is resized to the network's input.
    """
    side = patch_px * mpp
    trained = [encoder.patch_px * scale for scale in encoder.mpp]
    if not trained or any(1 / TOLERANCE <= side / other <= TOLERANCE for other in trained):
        return None
    sides = " or ".join(f"{other:g}" for other in trained)
    scales = " or ".join(f"{scale:g}" for scale in encoder.mpp)
    return (
        f"warning: patches are {side:.0f} um wide ({patch_px} px at {mpp:.3g} um/px), {encoder.name} was trained on "
        f"{sides} um ({encoder.patch_px} px at {scales} um/px); see `tile: patch_size` and `mpp`, or `tilings`"
    )


def patches_in_words(patch_px: float, *mpp: float) -> str:
    """Return the side and the scale or scales of patches.

    >>> patches_in_words(256, 0.5, 1.0)
    '256 px at 0.5 and 1 um/px'
    """
    return f"{patch_px:g} px at {' and '.join(f'{each:.4g}' for each in mpp)} um/px"


def departure(encoder: Encoder, patch_px: float, *mpp: float) -> str:
    """Say in words that patches are not those that the encoder is published for; empty if they are, or none are."""
    found = patches_in_words(patch_px, *mpp)
    if encoder.published is None or (wanted := patches_in_words(*encoder.published)) == found:
        return ""
    return f"patches of {found} (published: {wanted})"
