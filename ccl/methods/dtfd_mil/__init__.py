"""DTFD-MIL: double-tier feature distillation (Zhang et al., CVPR 2022).

The patches of a bag are split at random into pseudo-bags, each with the outcome of the bag.  The first tier pools every
pseudo-bag by attention and is trained on it.  The second tier pools the pooled vectors in the same way, and its hazards
are those of the bag.  The attention-pooled vector is distilled (variant "AFS"); the other variants choose patches by
their class probability, which hazards do not have.

In the authors' training no gradient of the second tier reaches the first: distilled vectors are constants.
``end_to_end`` lets the gradient through.  In evaluation, patches are split in a fixed random order, so a prediction is
a function of the bag.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import Method, Recipe


@section
class Hyper:
    """Hyper-parameters of DTFD-MIL."""

    width: int = key(512, "channels of a patch", ge=1)
    hidden: int = key(128, "channels of the attention of both tiers", ge=1)
    pseudo_bags: int = key(4, "pseudo-bags; at most as many as there are patches", ge=1)
    end_to_end: bool = key(False, "whether the second tier's gradient reaches the first")


METHOD = Method(
    name="dtfd-mil",
    reads=("bags",),
    citation="Zhang et al., CVPR 2022",
    parameters=791_306,
    hyper=Hyper,
    native=Recipe("adam", lr=1e-4, weight_decay=1e-4, epochs=200, clip=5.0, schedule="fifth"),
    native_version=1,
    attention=f"{AVERAGED} A weight is the patch's in its pseudo-bag times the weight of the pseudo-bag. Patches are"
    " assigned to pseudo-bags in a fixed random order.",
)
