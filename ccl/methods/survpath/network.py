"""The network of SurvPath (:mod:`ccl.methods.survpath`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.survpath import Hyper
from ccl.nn.families import FamilyTokens
from ccl.nn.pooling import DenseLayer, bag_of
from ccl.nn.replicas import Dropout, LayerNorm, Linear, Replicas

FEED_FORWARD_DROPOUT = 0.1

JOINT = 64
"""Channels of the layer on both means."""


class PathwayAttention(nn.Module):
    """One head over pathways and patches after normalisation, without attention between patches and output layer."""

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        self.norm = LayerNorm(replicas, width)
        self.to_qkv = Linear(replicas, width, 3 * (width // 2), bias=False)

    def forward(self, pathways: Tensor, patches: Tensor) -> Tensor:
        """Map pathways (S, P, d) and patches (S, N, d) to both, concatenated, (S, P + N, d / 2)."""
        count = pathways.shape[1]
        q, k, v = self._projected(pathways, patches)
        of_pathways = F.scaled_dot_product_attention(q[:, :count], k, v)
        of_patches = F.scaled_dot_product_attention(q[:, count:], k[:, :count], v[:, :count])
        return torch.cat([of_pathways, of_patches], dim=1)

    def weights(self, pathways: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attention of pathways to all tokens, (S, P, P + N), and of patches to pathways, (S, N, P)."""
        count = pathways.shape[1]
        q, k, _ = self._projected(pathways, patches)
        q = q * q.shape[-1] ** -0.5
        return torch.softmax(q[:, :count] @ k.mT, dim=-1), torch.softmax(q[:, count:] @ k[:, :count].mT, dim=-1)

    def _projected(self, pathways: Tensor, patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.to_qkv(self.norm(torch.cat([pathways, patches], dim=1))).chunk(3, dim=-1)
        return q, k, v


class Model(SurvivalModel):
    """Attention among families and patches, a feed-forward part, the means of both, and two layers to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.patches = replicas, hyper.patches
        attended = hyper.width // 2
        self.patch = Linear(replicas, shape.features, hyper.width)
        self.families = FamilyTokens(replicas, shape.families, hyper.width, dropout=hyper.dropout, activation=F.elu)
        self.pathway_attention = PathwayAttention(replicas, hyper.width)
        self.feed_forward = nn.Sequential(
            LayerNorm(replicas, attended),
            Linear(replicas, attended, attended),
            nn.GELU(),
            Dropout(replicas, FEED_FORWARD_DROPOUT),
            Linear(replicas, attended, attended),
            LayerNorm(replicas, attended),
        )
        self.joint = DenseLayer(replicas, 2 * attended, JOINT, dropout=0.0)
        self.head = Linear(replicas, JOINT, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        families = self.families(batch.genomics).squeeze(1)
        patches = self.patch(self._sample(bag_of(batch, self.replicas)))
        tokens = self.feed_forward(self.pathway_attention(families, patches))
        means = [part.mean(dim=1, keepdim=True) for part in tokens.split([families.shape[1], patches.shape[1]], dim=1)]
        return Output(self.head(self.joint(torch.cat(means, dim=-1))))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the attention of families to patches and to families, and of patches to families.

        A family's attention is one softmax over families and patches.  Both parts are returned as shares within the
        part: that to patches for each family and for all together, that to families for all together.  Patches attend
        to families only; this is returned as the mean over patches.
        """
        families = self.families(batch.genomics).squeeze(1)
        to_all, to_families = self.pathway_attention.weights(families, self.patch(bag_of(batch, self.replicas)))
        among, to_patches = to_all.tensor_split([families.shape[1]], dim=-1)
        return Attention(
            patches={"cross-attention": F.normalize(to_patches.sum(dim=1), p=1.0, dim=-1)},
            families={
                "of families": F.normalize(among.sum(dim=1, keepdim=True), p=1.0, dim=-1),
                "of patches": to_families.mean(dim=1, keepdim=True),
            },
            by_family=F.normalize(to_patches, p=1.0, dim=-1),
        )

    def _sample(self, bag: Tensor) -> Tensor:
        """Return a sample of the patches of a bag (S, N, D) in training, drawn for each replica."""
        if not self.training or bag.shape[1] <= self.patches:
            return bag
        chosen = self.replicas.orders(bag.shape[1])[:, : self.patches]
        return bag[torch.arange(len(bag), device=bag.device)[:, None], chosen]
