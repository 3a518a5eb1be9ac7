"""PORPOISE: attention over patches and a network on all genes, fused (Chen et al., Cancer Cell 2022).

Each modality becomes one vector, and the products of all pairs of their channels are fused.  The published class has
gates and a skip connection in this fusion, and so has this one; the authors' command line switches both off by default.

The authors' native track adds an L1 penalty to each patient's loss.  Their code divides the likelihood by the number of
patients in a step, 32, but not the penalty, so relative to the likelihood it weighs 32 times as much as here.
"""

from __future__ import annotations

from dataclasses import replace

from ccl.config.keys import key, section
from ccl.methods.attention import AVERAGED
from ccl.methods.declaration import MCAT, Method


@section
class Hyper:
    """Hyper-parameters of PORPOISE."""

    width: int = key(512, "channels of a patch", ge=1)
    hidden: int = key(256, "channels of the attention, and of each modality's vector", ge=1)
    dropout: float = key(0.25, "rate of dropout", ge=0, le=0.9)
    l1: float = key(0.0, "weight of the L1 penalty on the genes' network and the fusion", ge=0)


METHOD = Method(
    name="porpoise",
    reads=("bags", "genomics"),
    citation="Chen et al., Cancer Cell 2022",
    parameters=2_381_765,
    hyper=Hyper,
    native=replace(MCAT, hyper={"l1": 1e-5}),
    attention=AVERAGED,
)
