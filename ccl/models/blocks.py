"""Blocks that several methods are built of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 8
"""Attention heads of :class:`TransLayer`."""

LOCAL_REACH = 16
"""How many tokens before and after it a token mixes in locally: the kernel has 33 weights a head."""

INIT_STD_CLASS_TOKEN = 1e-6
"""A class token starts this close to zero."""


def snn_block(n_in: int, n_out: int, activation: nn.Module, dropout: float) -> nn.Sequential:
    """Return one self-normalising layer: linear, activation, alpha dropout."""
    return nn.Sequential(nn.Linear(n_in, n_out), activation, nn.AlphaDropout(dropout))


class Aggregate(nn.Module):
    """k vectors into one: a learnt weighted sum, standardised over the channels, negative parts cut."""

    def __init__(self, vectors: int) -> None:
        super().__init__()
        self.mix = nn.Linear(vectors, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (B, k, d) to (B, d)."""
        # (B, d, k) -> (B, d, 1) -> (B, d)
        mixed = self.mix(vectors.transpose(1, 2)).squeeze(2)
        return torch.relu(F.layer_norm(mixed, mixed.shape[1:]))


class TransLayer(nn.Module):
    """Residual self-attention plus a learnt local mix of the values, after layer normalisation; no feed-forward.

    The layer of TransMIL with exact softmax attention: with a handful of tokens there is nothing to approximate.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        # The initialisation of a depthwise convolution of this length.
        bound = (2 * LOCAL_REACH + 1) ** -0.5
        self.local = nn.Parameter(torch.empty(HEADS, 2 * LOCAL_REACH + 1).uniform_(-bound, bound))
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(dropout))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, T, d) to (B, T, d)."""
        batch, length, width = tokens.shape
        # (B, T, 3d) -> three of (B, heads, T, d / heads)
        q, k, v = self.to_qkv(self.norm(tokens)).view(batch, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        attention = torch.softmax(q @ k.transpose(-2, -1) * (width // HEADS) ** -0.5, dim=-1)
        mixed = (attention + self._local_weights(length)) @ v
        out: Tensor = self.to_out(mixed.transpose(1, 2).reshape(batch, length, width))
        return tokens + out

    def _local_weights(self, length: int) -> Tensor:
        """Return the local mix as a matrix (heads, T, T): row i holds the kernel centred on token i."""
        # Zeros beyond the kernel's reach, then the weights of offsets 1 - T to T - 1, then a window for each row.
        padded = F.pad(self.local, (length, length))[:, LOCAL_REACH + 1 : LOCAL_REACH + 2 * length]
        return padded.unfold(1, length, 1).flip(1)
