"""The network of TransMIL (:mod:`ccl.methods.transmil`)."""

from __future__ import annotations

import torch

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.transmil import Hyper
from ccl.nn.nystrom import PatchTransformer
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Linear, Replicas


class Model(SurvivalModel):
    """A layer per patch, a transformer over patches, and a linear layer from its class token to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        self.patch = Linear(replicas, shape.features, hyper.width)
        # Unlike in the methods that reuse this transformer, the class token starts with a standard deviation of 1.
        self.transformer = PatchTransformer(replicas, hyper.width, init_std=1.0)
        self.head = Linear(replicas, hyper.width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        patches = torch.relu(self.patch(bag_of(batch, self.replicas)))
        return Output(self.head(self.transformer(patches)))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the attention of the class token in the last layer (:meth:`PatchTransformer.weights`)."""
        patches = torch.relu(self.patch(bag_of(batch, self.replicas)))
        return Attention(patches={"class token": self.transformer.weights(patches)})
