"""SNNTrans: a transformer on gene families as tokens.

A baseline of the CCL paper, which describes it as "two SNN layers followed by a transformer" and gives no details.  The
layers are those of CCL's genomic branch (all families share the second, as in the released code).  The transformer is
the one by which CCL fuses its components; its tokens are a class token and one token per family.  As in TransMIL's
layer, the tokens are padded with zeros, and the zeros take part in the attention.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccl.methods.declaration import MCAT, Method, parameter
from ccl.nn import HEADS


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of SNNTrans."""

    width: int = parameter(256, "channels of a token", minimum=HEADS, multiple_of=HEADS)
    dropout: float = parameter(0.15, "rate of alpha dropout after each SNN layer", minimum=0, maximum=0.9)


METHOD = Method(
    name="snntrans",
    reads=("genomics",),
    citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
    parameters=1_463_828,
    hyper=Hyper,
    native=MCAT,
)
