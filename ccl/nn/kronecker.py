"""Gated Kronecker fusion of two vectors (Chen et al., IEEE Trans. Med. Imaging 2020, Pathomic Fusion).

PORPOISE, and MCAT as an option, fuse a slide's vector with the genes' by this block.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.nn.pooling import DenseLayer
from ccl.nn.replicas import Dropout, Linear, Replicas

REDUCED = 32
"""Channels of each vector before the product of all pairs."""


def kronecker(a: Tensor, b: Tensor) -> Tensor:
    """Return the products of all pairs of vectors (..., m) and (..., n): (..., m * n)."""
    return (a[..., :, None] * b[..., None, :]).flatten(-2)


class Gated(nn.Module):
    """One vector, reduced and gated by both vectors."""

    def __init__(self, replicas: Replicas, width: int, *, dropout: float) -> None:
        super().__init__()
        self.reduce = Linear(replicas, width, REDUCED)
        self.gate = Linear(replicas, 2 * width, REDUCED)
        self.out = DenseLayer(replicas, REDUCED, REDUCED, dropout=dropout)

    def forward(self, own: Tensor, both: Tensor) -> Tensor:
        """Map `own` (S, B, d), of `both` (S, B, 2d), to (S, B, 32)."""
        out: Tensor = self.out(torch.sigmoid(self.gate(both)) * torch.relu(self.reduce(own)))
        return out


class KroneckerFusion(nn.Module):
    """Fuses two vectors: gates each by both, appends a one, multiplies all pairs of channels, and applies two layers.

    Parameters
    ----------
    width : int
        Channels of each vector and of the result.
    dropout : float
        Rate within the gates and on the products.
    late_dropout : float
        Rate after each of the two layers; PORPOISE has none.
    skip : bool
        Whether the last layer also reads the two vectors, as in PORPOISE.
    """

    def __init__(
        self, replicas: Replicas, width: int, *, dropout: float, late_dropout: float = 0.0, skip: bool = False
    ) -> None:
        super().__init__()
        self.gated = nn.ModuleList(Gated(replicas, width, dropout=dropout) for _ in range(2))
        self.dropout = Dropout(replicas, dropout)
        self.first = DenseLayer(replicas, (REDUCED + 1) ** 2, width, dropout=late_dropout)
        self.second = DenseLayer(replicas, 3 * width if skip else width, width, dropout=late_dropout)
        self.skip = skip

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Map two of (S, B, d) to (S, B, d)."""
        both = torch.cat([a, b], dim=-1)
        # With the ones, the products also contain each vector itself.
        ones = [F.pad(gated(own, both), (0, 1), value=1.0) for gated, own in zip(self.gated, (a, b), strict=True)]
        fused = self.first(self.dropout(kronecker(*ones)))
        out: Tensor = self.second(torch.cat([fused, both], dim=-1) if self.skip else fused)
        return out
