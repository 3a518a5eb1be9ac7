"""CMTA: cross-modal translation and alignment (Zhou and Chen, ICCV 2023).

A transformer encodes each modality.  The encoded tokens attend to those of the other modality, and a second
transformer decodes the result: a translation of one modality into terms of the other.  A modality's vector is the mean
of encoder and decoder.  A loss moves the decoder towards the encoder, and not the encoder towards the decoder.

As published, all layers are Xavier-normal with zero biases.  The transformers of the genes use the Nystrom
approximation although they have only a few tokens.  The first patches are repeated to fill the square.  The authors
chose the weight of the alignment for each cohort by its test folds (1 for BLCA, GBMLGG and UCEC, 100 for BRCA, 1e-4 for
LUAD).  Here it is 1 for all cohorts.
"""

from __future__ import annotations

from ccl.config.keys import key, section
from ccl.methods.attention import QUERIED, TWICE
from ccl.methods.declaration import Method, Recipe
from ccl.nn import HEADS


@section
class Hyper:
    """Hyper-parameters of CMTA, its small form."""

    width: int = key(256, "channels of a patch and of a gene family", ge=HEADS, multiple_of=HEADS)
    hidden: int = key(1024, "channels of the first layer of each gene family", ge=1)
    dropout: float = key(0.25, "rate of dropout after each layer of patches and genes", ge=0, le=0.9)
    alignment_weight: float = key(1.0, "weight of the distance of decoders to encoders", ge=0)


METHOD = Method(
    name="cmta",
    reads=("bags", "genomics"),
    citation="Zhou, Chen, ICCV 2023",
    parameters=8_259_140,
    hyper=Hyper,
    native=Recipe("sgd", lr=1e-3, weight_decay=1e-5, epochs=30, sampling="weighted"),
    attention=f"{QUERIED} Patches in turn attend to families: the mean over patches. The encoders have already mixed"
    f" the patches, so a patch also represents others. {TWICE}",
)
