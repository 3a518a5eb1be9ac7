"""AttMIL: attention-based multiple-instance learning (Ilse, Tomczak and Welling, ICML 2018), for survival.

Gated attention and widths as in the AMIL of MCAT's comparison (Chen et al., ICCV 2021).
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import MCAT, Method


@section
class Hyper:
    """Hyper-parameters of AttMIL."""

    width: int = key(512, "channels of a patch", ge=1)
    hidden: int = key(256, "channels of the attention, and of the pooled bag", ge=1)
    dropout: float = key(0.25, "rate of dropout after each layer", ge=0, le=0.9)


METHOD = Method(
    name="attmil",
    reads=("bags",),
    citation="Ilse, Tomczak, Welling, ICML 2018",
    parameters=920_069,
    hyper=Hyper,
    native=MCAT,
    attention=AVERAGED,
)
