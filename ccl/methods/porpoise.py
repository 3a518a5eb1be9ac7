"""PORPOISE: attention over patches and a network on all genes, fused (Chen et al., Cancer Cell 2022).

Either modality becomes a vector on its own, and the products of all pairs of their channels say what they mean
together.  The published code can do without the gates and the skip connection of this fusion, and its command line
does by default; its class does not, and this module follows the class.

The authors' native track adds an L1 penalty to each patient's loss.  Their code divides the likelihood by the number
of patients that make a step, 32, and not the penalty, which so weighs 32 times as much against the likelihood as here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.recipes import MCAT
from ccl.nn.kronecker import KroneckerFusion
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import Linear, Replicas
from ccl.nn.unimodal import BagVector, GenesVector, l1_penalty

NATIVE = replace(MCAT, hyper={"l1": 1e-5})


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of PORPOISE."""

    width: int = parameter(512, "channels of a patch", minimum=1)
    hidden: int = parameter(256, "channels of the attention, and of each modality's vector", minimum=1)
    dropout: float = parameter(0.25, "rate of dropout", minimum=0, maximum=0.9)
    l1: float = parameter(0.0, "weight of the L1 penalty on the genes' network and the fusion", minimum=0)


class Model(SurvivalModel):
    """A vector of each modality, gated Kronecker fusion with a skip connection, and a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.l1 = replicas, hyper.l1
        dropout = hyper.dropout
        self.bag = BagVector(replicas, shape.features, hyper.width, hyper.hidden, dropout=dropout)
        self.pooled = DenseLayer(replicas, hyper.width, hyper.hidden, dropout=dropout)
        self.genes = GenesVector(replicas, shape.families, hyper.hidden, dropout=dropout)
        self.fusion = KroneckerFusion(replicas, hyper.hidden, dropout=dropout, skip=True)
        self.head = Linear(replicas, hyper.hidden, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n), and in training the penalty."""
        slide = self.pooled(self.bag(bag_of(batch, self.replicas)))
        logits = self.head(self.fusion(slide, self.genes(batch.genomics)))
        return Output(logits, l1_penalty(batch, self.l1, self.genes, self.fusion))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in the bag's vector."""
        return Attention(patches={"attention": self.bag.weights(bag_of(batch, self.replicas))})
