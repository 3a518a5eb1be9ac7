"""CLAM-SB: clustering-constrained attention MIL, single branch (Lu et al., Nat. Biomed. Eng. 2021).

Gated attention as in AttMIL, and one classifier of patches per class.  The classifier of a class learns that the
patches with the highest attention belong to the class and those with the lowest do not.  CLAM was made for
classification; for survival, the class is the interval of an observed death.  Published code that trains CLAM on
survival builds these classifiers but never uses their loss, so the loss is off by default; the authors' own training
weights it by 0.3 / 0.7.

The authors stop early by the loss of validation patients, after at most 200 epochs.  The native recipe trains all 200.
To choose the epoch by held-out patients, for all methods alike, use ``train: inner``.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import Method, Recipe


@section
class Hyper:
    """Hyper-parameters of both forms of CLAM."""

    width: int = key(512, "channels of a patch", ge=1)
    hidden: int = key(256, "channels of the attention", ge=1)
    dropout: float = key(0.25, "rate of dropout after each layer", ge=0, le=0.9)
    instance_weight: float = key(0.0, "weight of the loss of the classifiers of patches", ge=0)


METHOD = Method(
    name="clam-sb",
    reads=("bags",),
    citation="Lu et al., Nat. Biomed. Eng. 2021",
    parameters=793_869,
    hyper=Hyper,
    native=Recipe("adam", lr=1e-4, weight_decay=1e-5, epochs=200, hyper={"instance_weight": 0.3 / 0.7}),
    attention=AVERAGED,
)
