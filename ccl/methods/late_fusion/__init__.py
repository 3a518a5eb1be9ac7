"""Late fusion: the vector of a patient and all genes, each through a network of its own, joined at the end.

``concatenation`` puts the channels of both side by side.  ``gated`` weighs each channel of the two by a gate that sees
both (the gated multimodal unit of Arevalo et al., ICLR Workshop 2017).  ``product`` multiplies the odds of death in
each interval that both networks predict, so the log-odds are added: a product of experts (Hinton, Neural Comput. 2002),
one Bernoulli distribution for each interval.
"""

from __future__ import annotations

from typing import Literal

from ccl.config.keys import key, section
from ccl.methods.declaration import Method


@section
class Hyper:
    """Hyper-parameters of late fusion."""

    fusion: Literal["concatenation", "gated", "product"] = key(
        "concatenation",
        "what joins both: their channels side by side, a gate for each channel, or a product of experts",
    )
    width: int = key(256, "channels of each modality", ge=1)
    dropout: float = key(0.25, "rate of dropout", ge=0, le=0.9)


METHOD = Method(
    name="late-fusion",
    reads=("vectors", "genomics"),
    citation="baseline; gates: Arevalo et al., ICLR Workshop 2017; product of experts: Hinton, Neural Comput. 2002",
    parameters=1_133_316,
    hyper=Hyper,
)
