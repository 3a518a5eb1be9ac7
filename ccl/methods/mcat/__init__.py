"""MCAT: the multimodal co-attention transformer (Chen et al., ICCV 2021).

Each gene family attends to the patches of the bag.  After that a slide has as many tokens as there are families,
for any number of patches, and a transformer per modality is cheap.  As published, the result of attention replaces the
family's own vector: the co-attention has no residual connection.
"""

from __future__ import annotations

from typing import Literal

from ccl.config.keys import key, section
from ccl.methods.attention import QUERIED
from ccl.methods.declaration import MCAT, Method
from ccl.nn import HEADS


@section
class Hyper:
    """Hyper-parameters of MCAT."""

    width: int = key(256, "channels of a patch and of a gene family", ge=HEADS, multiple_of=HEADS)
    dropout: float = key(0.25, "rate of dropout", ge=0, le=0.9)
    fusion: Literal["concat", "kronecker"] = key(
        "concat", "fusion of the two modalities' vectors: concatenation, or the products of all pairs of channels"
    )


METHOD = Method(
    name="mcat",
    reads=("bags", "genomics"),
    citation="Chen et al., ICCV 2021",
    parameters=4_492_038,
    hyper=Hyper,
    native=MCAT,
    attention=QUERIED,
)
