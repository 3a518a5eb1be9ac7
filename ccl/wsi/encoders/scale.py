"""Whether the scale of patches matches an encoder's training."""

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
