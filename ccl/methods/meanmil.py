"""MeanMIL: the mean over all patches of a bag, the least a slide can be summarised by.

The paper of CCL compares with it and says no more; layer and width are those of AttMIL, and so is the training.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.recipes import MCAT
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import Linear, Replicas

NATIVE = MCAT


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of MeanMIL."""

    width: int = parameter(512, "channels of a patch", minimum=1)
    dropout: float = parameter(0.25, "rate of dropout after the layer", minimum=0, maximum=0.9)


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
