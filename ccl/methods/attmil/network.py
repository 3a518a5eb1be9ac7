"""The network of AttMIL (:mod:`ccl.methods.attmil`)."""

from __future__ import annotations

import torch

from ccl.data.batch import Batch, Shape
from ccl.methods.attmil import Hyper
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.nn.pooling import DenseLayer, GatedAttention, attend, bag_of
from ccl.nn.replicas import Linear, Replicas


class Model(SurvivalModel):
    """A layer per patch, gated attention over patches, a layer on their mean, and a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        self.patch = DenseLayer(replicas, shape.features, hyper.width, dropout=hyper.dropout)
        self.attention = GatedAttention(replicas, hyper.width, hyper.hidden, dropout=hyper.dropout)
        self.pooled = DenseLayer(replicas, hyper.width, hyper.hidden, dropout=hyper.dropout)
        self.head = Linear(replicas, hyper.hidden, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        patches = self.patch(bag_of(batch, self.replicas))
        return Output(self.head(self.pooled(attend(self.attention(patches), patches))))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in their mean."""
        scores = self.attention(self.patch(bag_of(batch, self.replicas)))
        return Attention(patches={"attention": torch.softmax(scores, dim=1)[..., 0]})
