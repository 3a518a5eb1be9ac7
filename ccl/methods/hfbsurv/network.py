"""The network of HFBSurv (:mod:`ccl.methods.hfbsurv`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.hfbsurv import Hyper
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Dropout, LayerNorm, Linear, Replicas
from ccl.nn.unimodal import BagVector, GenesVector, l1_penalty

REDUCED = 50
"""Channels of each modality's vector."""

BILINEAR, RANK = 20, 20
"""Channels of a bilinear product, and terms in the sum of each."""

BILINEAR_DROPOUT = 0.1

ENCODER = (256, 64)
"""Channels of the layers after fusion."""

ENCODER_DROPOUT = 0.3

UNDER_ROOT = 1e-8


class BilinearPool(nn.Module):
    """The product of two projections: summed over the rank, signed square root, normalised to length one."""

    def __init__(self, replicas: Replicas) -> None:
        super().__init__()
        self.dropout = Dropout(replicas, BILINEAR_DROPOUT)

    def forward(self, product: Tensor) -> Tensor:
        """Map (S, ..., 400) to (S, ..., 20)."""
        summed = self.dropout(product).view(*product.shape[:-1], BILINEAR, RANK).sum(dim=-1)
        return F.normalize(summed.sign() * (summed.abs() + UNDER_ROOT).sqrt(), dim=-1)


class HierarchicalFusion(nn.Module):
    """The published network for two modalities: bilinear within each, gated, bilinear between both, three layers."""

    def __init__(self, replicas: Replicas, width: int, intervals: int) -> None:
        super().__init__()
        own, projected = REDUCED + BILINEAR, BILINEAR * RANK
        self.reduce = nn.ModuleList(Linear(replicas, n, REDUCED, maps=(2,)) for n in (width, REDUCED))
        self.within = Linear(replicas, REDUCED, projected, maps=(2,))
        self.gate = Linear(replicas, own, 1)
        self.between = Linear(replicas, own, projected)
        self.pool = BilinearPool(replicas)
        self.norm = LayerNorm(replicas, own + BILINEAR)
        self.layers = nn.ModuleList(Linear(replicas, *n) for n in ((own + BILINEAR, ENCODER[0]), ENCODER))
        self.dropout = Dropout(replicas, ENCODER_DROPOUT)
        self.head = Linear(replicas, ENCODER[-1], intervals)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map the vectors of both modalities (S, 2, B, d) to logits (S, B, n)."""
        for layer in self.reduce:
            vectors = torch.tanh(layer(vectors))
        modalities = torch.cat([vectors, self.pool(self.within(vectors).square())], dim=-1)
        flat = modalities.flatten(1, 2)
        gated = torch.sigmoid(self.gate(flat)) * flat
        # Both modalities share a projection.
        product = self.between(gated).view(*modalities.shape[:3], -1).prod(dim=1)
        fused = self.norm(torch.cat([gated.view_as(modalities).sum(dim=1), self.pool(product)], dim=-1))
        for layer in self.layers:
            fused = self.dropout(torch.tanh(layer(fused)))
        out: Tensor = self.head(fused)
        return out


class Model(SurvivalModel):
    """Each modality as a vector, and the published network."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.l1 = replicas, hyper.l1
        width, dropout = hyper.width, hyper.dropout
        self.bag = BagVector(replicas, shape.features, width, width, dropout=dropout)
        self.genes = GenesVector(replicas, shape.families, width, dropout=dropout)
        self.network = HierarchicalFusion(replicas, width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n), and in training the penalty."""
        vectors = torch.stack([self.genes(batch.genomics), self.bag(bag_of(batch, self.replicas))], dim=1)
        return Output(self.network(vectors), l1_penalty(batch, self.l1, self.network))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in the bag's vector."""
        return Attention(patches={"attention": self.bag.weights(bag_of(batch, self.replicas))})
