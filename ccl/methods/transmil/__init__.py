"""TransMIL: a transformer over all patches of a bag (Shao et al., NeurIPS 2021).

Nystrom attention makes the transformer affordable.  Position comes from convolutions over the patches, laid out as a
square in the order of their files.  As published, the square does not reflect the positions of patches in the slide.
The order of a bag therefore matters.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import CLASS_TOKEN
from ccl.methods.declaration import Method, Recipe
from ccl.nn import HEADS


@section
class Hyper:
    """Hyper-parameters of TransMIL."""

    width: int = key(512, "channels of a patch in the transformer", ge=HEADS, multiple_of=HEADS)


METHOD = Method(
    name="transmil",
    reads=("bags",),
    citation="Shao et al., NeurIPS 2021",
    parameters=2_673_172,
    hyper=Hyper,
    native=Recipe("lookahead-radam", lr=2e-4, weight_decay=1e-5, epochs=200, accumulate=2),
    attention=CLASS_TOKEN,
)
