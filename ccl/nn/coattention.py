"""Attention of gene families to a bag of patches: parts of MCAT, MOTCat and CMTA; S is the number of replicas."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.nn.blocks import PostNormLayer
from ccl.nn.families import FamilyTokens
from ccl.nn.kronecker import KroneckerFusion
from ccl.nn.pooling import DenseLayer, GatedAttention, attend
from ccl.nn.replicas import Linear, Replicas


class CoAttention(nn.Module):
    """Attention of a few tokens to many: one head, biases, an output layer; no dropout, no residual connection."""

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        self.to_q = Linear(replicas, width, width)
        self.to_kv = Linear(replicas, width, 2 * width)
        self.to_out = Linear(replicas, width, width)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Map queries (S, T, d) and keys (S, N, d) to (S, T, d)."""
        k, v = self.to_kv(keys).chunk(2, dim=-1)
        out: Tensor = self.to_out(F.scaled_dot_product_attention(self.to_q(queries), k, v))
        return out

    def weights(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the attention of each of T queries to each of N keys: (S, T, N), with sum 1 over keys."""
        k, _ = self.to_kv(keys).chunk(2, dim=-1)
        return torch.softmax(self.to_q(queries) @ k.mT * k.shape[-1] ** -0.5, dim=-1)


class TokenPool(nn.Module):
    """Pools the tokens of a modality to one vector: two transformer layers, gated attention, a dense layer."""

    def __init__(self, replicas: Replicas, width: int, *, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(PostNormLayer(replicas, width, 2 * width, dropout=dropout) for _ in range(2)))
        self.attention = GatedAttention(replicas, width, width, dropout=dropout)
        self.pooled = DenseLayer(replicas, width, width, dropout=dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (S, B, T, d) to (S, B, d)."""
        tokens = self.layers(tokens)
        scores = self.attention(tokens.flatten(1, 2)).view(-1, tokens.shape[2], 1)
        out: Tensor = self.pooled(attend(scores, tokens.flatten(0, 1)).view(*tokens.shape[:2], -1))
        return out


class GuidedNetwork(nn.Module):
    """MCAT without its co-attention: layers from both modalities to tokens, and from tokens to hazards.

    Parameters
    ----------
    shape : Shape
        Shape of the data.
    width : int
        Channels of a patch and of a token.
    fusion : str
        Fusion of the two modalities' vectors: ``concat`` concatenates them, ``kronecker`` takes all pairs of channels.
    """

    def __init__(
        self,
        shape: Shape,
        replicas: Replicas,
        width: int,
        *,
        dropout: float,
        fusion: Literal["concat", "kronecker"] = "concat",
    ) -> None:
        super().__init__()
        self.patch = DenseLayer(replicas, shape.features, width, dropout=dropout)
        self.families = FamilyTokens(replicas, shape.families, width, dropout=dropout, activation=F.elu)
        self.pools = nn.ModuleList(TokenPool(replicas, width, dropout=dropout) for _ in range(2))
        self.fusion = (
            Concatenation(replicas, width)
            if fusion == "concat"
            else KroneckerFusion(replicas, width, dropout=dropout, late_dropout=dropout)
        )
        self.head = Linear(replicas, width, shape.intervals)

    def encode(self, batch: Batch, bag: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gene families (S, F, d) of a batch, and the patches (S, N, d) of its bag (S, N, D)."""
        return self.families(batch.genomics).squeeze(1), self.patch(bag)

    def hazards(self, attended: Tensor, families: Tensor) -> Tensor:
        """Map the families' attended patches in C bags (S, C, F, d), and families (S, F, d), to logits (S, C, n)."""
        pool_attended, pool_families = self.pools
        genes = pool_families(families[:, None]).expand(-1, attended.shape[1], -1)
        out: Tensor = self.head(self.fusion(pool_attended(attended), genes))
        return out


class Concatenation(nn.Module):
    """Concatenation of two vectors, followed by two layers."""

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        layers = (DenseLayer(replicas, n_in, width, dropout=0.0) for n_in in (2 * width, width))
        self.layers = nn.Sequential(*layers)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Map two of (S, B, d) to (S, B, d)."""
        out: Tensor = self.layers(torch.cat([a, b], dim=-1))
        return out
