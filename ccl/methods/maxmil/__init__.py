"""MaxMIL: the maximum of each channel over all patches of a bag, or the prediction of its most confident patch.

The CCL paper speaks of a maximum over instances and gives no details.  The maximum of channels is the default.  With
``level: instance`` a single patch decides for the bag, as in the multi-class MIL of Lu et al. (Nat. Biomed. Eng. 2021).
Layer, width and training are those of AttMIL.
"""

from __future__ import annotations

from typing import Literal

from ccl.config.keys import key, section
from ccl.methods import meanmil
from ccl.methods.declaration import MCAT, Method


@section
class Hyper(meanmil.Hyper):
    """Hyper-parameters of MaxMIL."""

    level: Literal["feature", "instance"] = key(
        "feature", "maximum of each channel, or the logits of the patch with the highest probability of any interval"
    )


METHOD = Method(
    name="maxmil",
    reads=("bags",),
    citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
    parameters=526_852,
    hyper=Hyper,
    native=MCAT,
    attention="The share of channels whose maximum over all patches lies in a patch. There are no weights. With the"
    " option level: instance, one patch decides and has the whole share.",
)
