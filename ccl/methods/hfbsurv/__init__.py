"""HFBSurv: hierarchical multimodal fusion by factorised bilinear products (Li et al., Bioinformatics 2022).

A low-rank bilinear product first mixes each modality with itself, then both with each other.  It multiplies two
projections channel by channel and sums over the rank.

The published network reads 80 selected features of each of three modalities.  Here there are two modalities: a bag, by
gated attention, and all genes.  With one pair of modalities, no weights of pairs are needed.  The outputs are hazards
instead of a Cox risk.  Normalisation is over channels instead of patients, because a step sees one patient.  The square
root of a product has an infinite slope at zero, so a small constant is added under it.  The native track has the
authors' one step an epoch and the L1 penalty, which applies to the published part of the network and not to the layers
before it.  The authors' options mention a linear decay of the learning rate, but their code never uses it; here too the
rate is constant.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import WHOLE_EPOCH, Method, Recipe


@section
class Hyper:
    """Hyper-parameters of HFBSurv."""

    width: int = key(256, "channels of a patch, its attention and the genes' layers", ge=1)
    dropout: float = key(0.25, "rate of dropout before the modalities meet", ge=0, le=0.9)
    l1: float = key(0.0, "weight of the L1 penalty on all weights after the modalities' vectors", ge=0)


METHOD = Method(
    name="hfbsurv",
    reads=("bags", "genomics"),
    citation="Li et al., Bioinformatics 2022",
    parameters=1_468_896,
    hyper=Hyper,
    native=Recipe("adam", lr=1.2e-4, weight_decay=1e-6, epochs=100, accumulate=WHOLE_EPOCH, hyper={"l1": 3e-3}),
    attention=AVERAGED,
)
