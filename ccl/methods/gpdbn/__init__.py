"""GPDBN: deep bilinear features within and between modalities (Wang et al., Bioinformatics 2021).

The products of all pairs of channels are formed within each modality and between both.  A layer reduces each of them,
and the results are concatenated with the two vectors themselves.

The published network reads 32 selected features of each modality.  Here a bag, by gated attention, and all genes are
reduced to 32 channels each.  The outputs are hazards instead of a Cox risk between -3 and 3.  The native track has the
authors' one step an epoch, a learning rate that falls linearly to zero, and the L1 penalty, which applies to the
published part of the network and not to the layers before it.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import WHOLE_EPOCH, Method, Recipe


@section
class Hyper:
    """Hyper-parameters of GPDBN."""

    width: int = key(256, "channels of a patch, its attention and the genes' layers", ge=1)
    dropout: float = key(0.25, "rate of dropout before the modalities meet", ge=0, le=0.9)
    l1: float = key(0.0, "weight of the L1 penalty on all weights after the modalities' vectors", ge=0)


METHOD = Method(
    name="gpdbn",
    reads=("bags", "genomics"),
    citation="Wang et al., Bioinformatics 2021",
    parameters=1_634_501,
    hyper=Hyper,
    native=Recipe(
        "adam", lr=2e-4, weight_decay=1e-6, epochs=150, accumulate=WHOLE_EPOCH, schedule="linear", hyper={"l1": 3e-4}
    ),
    native_version=1,
    attention=AVERAGED,
)
