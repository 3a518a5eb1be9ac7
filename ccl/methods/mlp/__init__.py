"""MLP: two dense layers on the vector of a patient, such as a slide encoder makes it.

It is the plain network for frozen vectors.  Training is that of the other methods; the vector is scaled by the training
patients.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.declaration import Method


@section
class Hyper:
    """Hyper-parameters of MLP."""

    width: int = key(256, "channels of each layer", ge=1)
    dropout: float = key(0.25, "rate of dropout after each layer", ge=0, le=0.9)


METHOD = Method(
    name="mlp",
    reads=("vectors",),
    citation="baseline for vectors of slides; no paper",
    parameters=263_684,
    hyper=Hyper,
)
