"""The network of MeanMIL (:mod:`ccl.methods.meanmil`)."""

from __future__ import annotations

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.meanmil import Hyper
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import Linear, Replicas


class Model(SurvivalModel):
    """A layer per patch, the mean of each channel, and a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        self.patch = DenseLayer(replicas, shape.features, hyper.width, dropout=hyper.dropout)
        self.head = Linear(replicas, hyper.width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        return Output(self.head(self.patch(bag_of(batch, self.replicas)).mean(dim=1, keepdim=True)))
