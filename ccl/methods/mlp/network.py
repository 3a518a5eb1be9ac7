"""The network of MLP (:mod:`ccl.methods.mlp`)."""

from __future__ import annotations

from torch import nn

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.mlp import Hyper
from ccl.nn.pooling import DenseLayer, vectors_of
from ccl.nn.replicas import Linear, Replicas


class Model(SurvivalModel):
    """Two dense layers, and a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        self.layers = nn.Sequential(
            DenseLayer(replicas, shape.vectors, hyper.width, dropout=hyper.dropout),
            DenseLayer(replicas, hyper.width, hyper.width, dropout=hyper.dropout),
            Linear(replicas, hyper.width, shape.intervals),
        )

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, B, n)."""
        return Output(self.layers(vectors_of(batch, self.replicas)))
