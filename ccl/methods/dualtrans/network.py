"""The network of DualTrans (:mod:`ccl.methods.dualtrans`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ccl.data.batch import Batch, Shape
from ccl.methods.dualtrans import Hyper
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.nn.families import FamilyTokens
from ccl.nn.nystrom import PatchTransformer, exact_fusion
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Linear, Replicas


class Model(SurvivalModel):
    """Two SNN layers per family, a transformer over patches, one over both, a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        sizes, width = shape.families, hyper.width
        self.families = FamilyTokens(replicas, sizes, width, dropout=hyper.dropout, activation=F.selu, shared=True)
        self.patch = Linear(replicas, shape.features, width)
        self.transformer = PatchTransformer(replicas, width)
        self.fusion = exact_fusion(replicas, width, len(sizes) + 1)
        self.head = Linear(replicas, width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        slide = self.transformer(torch.relu(self.patch(bag_of(batch, self.replicas))))
        tokens = torch.cat([self.families(batch.genomics), slide[:, None]], dim=2)
        return Output(self.head(self.fusion(tokens)))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the attention of the slide's class token in its last layer (:meth:`PatchTransformer.weights`).

        The transformer on both modalities is not shown: it attends almost only to the padding, and mixes its few tokens
        by fixed weights of their positions.
        """
        patches = torch.relu(self.patch(bag_of(batch, self.replicas)))
        return Attention(patches={"class token": self.transformer.weights(patches)})
