"""TransMIL: a transformer over all patches of a bag (Shao et al., NeurIPS 2021).

Nystrom attention makes the transformer affordable, and convolutions over the patches laid out as a square tell each
its place: the order of a bag, that of its files, matters.  As published, the square knows nothing of where in the
slide a patch was.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.recipes import Recipe
from ccl.nn.blocks import HEADS
from ccl.nn.nystrom import PatchTransformer
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Linear, Replicas

NATIVE = Recipe("lookahead-radam", lr=2e-4, weight_decay=1e-5, epochs=200, accumulate=2)


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of TransMIL."""

    width: int = parameter(512, "channels of a patch in the transformer", minimum=HEADS, multiple_of=HEADS)


class Model(SurvivalModel):
    """A layer per patch, a transformer over patches, and a linear layer from its class token to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        self.patch = Linear(replicas, shape.features, hyper.width)
        # Its class token starts as wide as the patches, unlike those of the methods that took the transformer over.
        self.transformer = PatchTransformer(replicas, hyper.width, init_std=1.0)
        self.head = Linear(replicas, hyper.width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        patches = torch.relu(self.patch(bag_of(batch, self.replicas)))
        return Output(self.head(self.transformer(patches)))

    def attends_to(self, batch: Batch) -> Attention:
        """Return what the class token attends to in the last layer (:meth:`PatchTransformer.weights`)."""
        patches = torch.relu(self.patch(bag_of(batch, self.replicas)))
        return Attention(patches={"class token": self.transformer.weights(patches)})
