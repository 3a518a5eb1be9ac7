"""SNNTrans: a transformer on gene families as tokens.

A baseline of the CCL paper, which describes it as "two SNN layers followed by a transformer" and gives no details.  The
layers are those of CCL's genomic branch (all families share the second, as in the released code).  The transformer is
the one by which CCL fuses its components; its tokens are a class token and one token per family.  As in TransMIL's
layer, the tokens are padded with zeros, and the zeros take part in the attention.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.declaration import MCAT, Method
from ccl.nn import HEADS


@section
class Hyper:
    """Hyper-parameters of SNNTrans."""

    width: int = key(256, "channels of a token", ge=HEADS, multiple_of=HEADS)
    dropout: float = key(0.15, "rate of alpha dropout after each SNN layer", ge=0, le=0.9)


METHOD = Method(
    name="snntrans",
    reads=("genomics",),
    citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
    parameters=1_463_828,
    hyper=Hyper,
    native=MCAT,
)
