"""MeanMIL: the mean over all patches of a bag, the simplest summary of a slide.

The CCL paper compares with it and gives no details.  Layer, width and training are those of AttMIL.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.declaration import MCAT, Method


@section
class Hyper:
    """Hyper-parameters of MeanMIL."""

    width: int = key(512, "channels of a patch", ge=1)
    dropout: float = key(0.25, "rate of dropout after the layer", ge=0, le=0.9)


METHOD = Method(
    name="meanmil",
    reads=("bags",),
    citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
    parameters=526_852,
    hyper=Hyper,
    native=MCAT,
)
