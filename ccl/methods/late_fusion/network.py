"""The network of late fusion (:mod:`ccl.methods.late_fusion`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.late_fusion import Hyper
from ccl.nn.pooling import DenseLayer, vectors_of
from ccl.nn.replicas import Linear, Replicas
from ccl.nn.unimodal import GenesVector


class Concatenation(nn.Module):
    """Both modalities side by side."""

    def __init__(self, replicas: Replicas, width: int, intervals: int) -> None:
        super().__init__()
        self.head = Linear(replicas, 2 * width, intervals)

    def forward(self, slide: Tensor, genes: Tensor) -> Tensor:
        """Map (S, B, width) of each to the logits (S, B, n)."""
        out: Tensor = self.head(torch.cat([slide, genes], dim=-1))
        return out


class Gated(nn.Module):
    """A gate for each channel, which sees both modalities."""

    def __init__(self, replicas: Replicas, width: int, intervals: int) -> None:
        super().__init__()
        self.gate = Linear(replicas, 2 * width, width)
        self.head = Linear(replicas, width, intervals)

    def forward(self, slide: Tensor, genes: Tensor) -> Tensor:
        """Map (S, B, width) of each to the logits (S, B, n)."""
        share = torch.sigmoid(self.gate(torch.cat([slide, genes], dim=-1)))
        out: Tensor = self.head(share * slide + (1 - share) * genes)
        return out


class Product(nn.Module):
    """The sum of both modalities' log-odds."""

    def __init__(self, replicas: Replicas, width: int, intervals: int) -> None:
        super().__init__()
        self.slide = Linear(replicas, width, intervals)
        self.genes = Linear(replicas, width, intervals)

    def forward(self, slide: Tensor, genes: Tensor) -> Tensor:
        """Map (S, B, width) of each to the logits (S, B, n)."""
        out: Tensor = self.slide(slide) + self.genes(genes)
        return out


FUSIONS = {"concatenation": Concatenation, "gated": Gated, "product": Product}


class Model(SurvivalModel):
    """A dense layer on the vector, two self-normalising layers on the genes, and a fusion."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        self.slide = DenseLayer(replicas, shape.vectors, hyper.width, dropout=hyper.dropout)
        self.genes = GenesVector(replicas, shape.families, hyper.width, dropout=hyper.dropout)
        self.fusion = FUSIONS[hyper.fusion](replicas, hyper.width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, B, n)."""
        slide = self.slide(vectors_of(batch, self.replicas))
        return Output(self.fusion(slide, self.genes(batch.genomics)))
