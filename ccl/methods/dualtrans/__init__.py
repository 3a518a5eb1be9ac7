"""DualTrans: SNN on the genes, TransMIL on the patches, and a transformer on both.

A baseline of the CCL paper and the start of its ablations; the paper gives no further details.  The gene families are
tokens as in SNNTrans.  The bag is one more token: the class token of TransMIL's transformer, at the width of the other
tokens.  The transformer on all tokens is the one by which CCL fuses its components.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import CLASS_TOKEN
from ccl.methods.declaration import MCAT, Method
from ccl.nn import HEADS


@section
class Hyper:
    """Hyper-parameters of DualTrans."""

    width: int = key(256, "channels of a patch and of a token", ge=HEADS, multiple_of=HEADS)
    dropout: float = key(0.15, "rate of alpha dropout after each SNN layer", ge=0, le=0.9)


METHOD = Method(
    name="dualtrans",
    reads=("bags", "genomics"),
    citation="baseline of Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
    parameters=2_275_364,
    hyper=Hyper,
    native=MCAT,
    attention=CLASS_TOKEN,
)
