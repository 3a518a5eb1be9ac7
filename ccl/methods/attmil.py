"""AttMIL: attention-based multiple-instance learning (Ilse, Tomczak and Welling, ICML 2018), in its survival form.

Gated attention and widths as in the AMIL of MCAT's comparison (Chen et al., ICCV 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.recipes import MCAT
from ccl.nn.pooling import DenseLayer, GatedAttention, attend, bag_of
from ccl.nn.replicas import Linear, Replicas

NATIVE = MCAT


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of AttMIL."""

    width: int = parameter(512, "channels of a patch", minimum=1)
    hidden: int = parameter(256, "channels of the attention, and of the pooled bag", minimum=1)
    dropout: float = parameter(0.25, "rate of dropout after each layer", minimum=0, maximum=0.9)


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
