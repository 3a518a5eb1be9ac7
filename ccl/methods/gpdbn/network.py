"""The network of GPDBN (:mod:`ccl.methods.gpdbn`)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.gpdbn import Hyper
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.nn.kronecker import kronecker
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import Linear, Replicas
from ccl.nn.unimodal import BagVector, GenesVector, l1_penalty

REDUCED = 32
"""Channels of each modality's vector."""

BILINEAR = 20
"""Channels of each of the three bilinear features."""

ENCODER = (500, 256, 128, 32)
"""Channels of the layers after the concatenation."""

ENCODER_DROPOUT = 0.1


class BilinearNetwork(nn.Module):
    """The published network: two vectors, their bilinear features, five layers."""

    def __init__(self, replicas: Replicas, intervals: int) -> None:
        super().__init__()
        self.bilinear = nn.ModuleList(DenseLayer(replicas, REDUCED**2, BILINEAR, dropout=0.0) for _ in range(3))
        widths = (2 * REDUCED + 3 * BILINEAR, *ENCODER)
        layers = [DenseLayer(replicas, a, b, dropout=ENCODER_DROPOUT) for a, b in itertools.pairwise(widths)]
        self.layers = nn.Sequential(*layers, Linear(replicas, ENCODER[-1], intervals))

    def forward(self, genes: Tensor, slide: Tensor) -> Tensor:
        """Map two of (S, B, 32) to logits (S, B, n)."""
        pairs = ((genes, genes), (slide, slide), (genes, slide))
        features = [layer(kronecker(*pair)) for layer, pair in zip(self.bilinear, pairs, strict=True)]
        out: Tensor = self.layers(torch.cat([genes, slide, *features], dim=-1))
        return out


class Model(SurvivalModel):
    """Each modality as a vector of 32, and the published network."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.l1 = replicas, hyper.l1
        width, dropout = hyper.width, hyper.dropout
        self.bag = BagVector(replicas, shape.features, width, width, dropout=dropout)
        self.genes = GenesVector(replicas, shape.families, width, dropout=dropout)
        self.reduce = nn.ModuleList(DenseLayer(replicas, width, REDUCED, dropout=0.0) for _ in range(2))
        self.network = BilinearNetwork(replicas, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n), and in training the penalty."""
        vectors = self.genes(batch.genomics), self.bag(bag_of(batch, self.replicas))
        logits = self.network(*(reduce(vector) for reduce, vector in zip(self.reduce, vectors, strict=True)))
        return Output(logits, l1_penalty(batch, self.l1, self.network))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in the bag's vector."""
        return Attention(patches={"attention": self.bag.weights(bag_of(batch, self.replicas))})
