"""The network of PORPOISE (:mod:`ccl.methods.porpoise`)."""

from __future__ import annotations

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.porpoise import Hyper
from ccl.nn.kronecker import KroneckerFusion
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import Linear, Replicas
from ccl.nn.unimodal import BagVector, GenesVector, l1_penalty


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
