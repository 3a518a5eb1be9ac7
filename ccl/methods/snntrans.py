"""SNNTrans: gene families as tokens of a transformer.

A baseline of the paper of CCL, which says of it "two SNN layers followed by a transformer" and no more.  The layers are
those of CCL's own genomic branch (the second shared by all families, as released); the transformer is the one by which
it fuses its components, on the class token and a token for each family.  As in TransMIL's layer the
tokens are padded with zeros, which take their share of the attention.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.recipes import MCAT
from ccl.nn.blocks import HEADS
from ccl.nn.families import FamilyTokens
from ccl.nn.nystrom import exact_fusion
from ccl.nn.replicas import Linear, Replicas

NATIVE = MCAT


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of SNNTrans."""

    width: int = parameter(256, "channels of a token", minimum=HEADS, multiple_of=HEADS)
    dropout: float = parameter(0.15, "rate of alpha dropout after each SNN layer", minimum=0, maximum=0.9)


class Model(SurvivalModel):
    """Two SNN layers per family, a transformer over families, a linear layer from its class token to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        sizes, width = shape.families, hyper.width
        self.families = FamilyTokens(replicas, sizes, width, dropout=hyper.dropout, activation=F.selu, shared=True)
        self.transformer = exact_fusion(replicas, width, len(sizes))
        self.head = Linear(replicas, width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, B, n)."""
        return Output(self.head(self.transformer(self.families(batch.genomics))))
