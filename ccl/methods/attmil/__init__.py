"""AttMIL: attention-based multiple-instance learning (Ilse, Tomczak and Welling, ICML 2018), for survival.

Gated attention and widths as in the AMIL of MCAT's comparison (Chen et al., ICCV 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import MCAT, Method, parameter


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of AttMIL."""

    width: int = parameter(512, "channels of a patch", minimum=1)
    hidden: int = parameter(256, "channels of the attention, and of the pooled bag", minimum=1)
    dropout: float = parameter(0.25, "rate of dropout after each layer", minimum=0, maximum=0.9)


METHOD = Method(
    name="attmil",
    reads=("bags",),
    citation="Ilse, Tomczak, Welling, ICML 2018",
    parameters=920_069,
    hyper=Hyper,
    native=MCAT,
    attention=AVERAGED,
)
