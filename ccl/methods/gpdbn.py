"""GPDBN: deep bilinear features within and between modalities (Wang et al., Bioinformatics 2021).

The products of all pairs of channels, of each modality with itself and of both with each other, each made small by a
layer, stand beside the two vectors themselves.

The published network reads 32 chosen features of each modality; here a bag, by gated attention, and all genes make 32
channels each.  It gives hazards in place of a Cox risk between -3 and 3.  The native track has the authors' one step
an epoch, learning rate that falls to zero in a line, and L1 penalty, on what they published and not on what stands
before it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.recipes import WHOLE_EPOCH, Recipe
from ccl.nn.kronecker import kronecker
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import Linear, Replicas
from ccl.nn.unimodal import BagVector, GenesVector, l1_penalty

NATIVE = Recipe(
    "adam", lr=2e-4, weight_decay=1e-6, epochs=150, accumulate=WHOLE_EPOCH, schedule="linear", hyper={"l1": 3e-4}
)

REDUCED = 32
"""Channels of each modality's vector."""

BILINEAR = 20
"""Channels of each of the three bilinear features."""

ENCODER = (500, 256, 128, 32)
"""Channels of the layers after all of these."""

ENCODER_DROPOUT = 0.1


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of GPDBN."""

    width: int = parameter(256, "channels of a patch, its attention and the genes' layers", minimum=1)
    dropout: float = parameter(0.25, "rate of dropout before the modalities meet", minimum=0, maximum=0.9)
    l1: float = parameter(0.0, "weight of the L1 penalty on all weights after the modalities' vectors", minimum=0)


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
