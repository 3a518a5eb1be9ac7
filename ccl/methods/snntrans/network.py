"""The network of SNNTrans (:mod:`ccl.methods.snntrans`)."""

from __future__ import annotations

import torch.nn.functional as F

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.snntrans import Hyper
from ccl.nn.families import FamilyTokens
from ccl.nn.nystrom import exact_fusion
from ccl.nn.replicas import Linear, Replicas


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
