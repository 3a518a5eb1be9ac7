"""Blocks that several networks share; S is the number of replicas (:mod:`ccl.nn.replicas`)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.nn import HEADS
from ccl.nn.replicas import AlphaDropout, Dropout, LayerNorm, Linear, Replicas

Activation = Callable[[Tensor], Tensor]

LOCAL_REACH = 16
"""Number of neighbours on each side that :class:`TransLayer` mixes into a token: 33 weights per head."""

FEW_TOKENS = 64
"""Up to this many tokens, one product with ones and zeros is the fastest way to lay out the local mix, as measured."""

FEED_FORWARD = 4
"""Width of the feed-forward part of :class:`VanillaLayer`, as a multiple of the token width."""

INIT_STD_CLASS_TOKEN = 1e-6
"""Standard deviation of a class token's initial values."""


class SnnLayer(nn.Module):
    """One self-normalising layer: linear, SELU (in MCAT and similar methods ELU), alpha dropout."""

    def __init__(
        self,
        replicas: Replicas,
        n_in: int,
        n_out: int,
        *,
        dropout: float,
        maps: tuple[int, ...] = (),
        activation: Activation = F.selu,
    ) -> None:
        super().__init__()
        self.linear = Linear(replicas, n_in, n_out, maps=maps)
        self.activation = activation
        self.dropout = AlphaDropout(replicas, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (S, *maps, T, n_in) to (S, *maps, T, n_out)."""
        out: Tensor = self.dropout(self.activation(self.linear(x)))
        return out


class Aggregate(nn.Module):
    """A learnt weighted sum of k vectors; as released, also standardised over the channels, with ReLU."""

    def __init__(self, replicas: Replicas, vectors: int, *, standardise: bool) -> None:
        super().__init__()
        bound = vectors**-0.5
        self.weight = nn.Parameter(replicas.within(bound, 1, vectors, 1))
        self.bias = nn.Parameter(replicas.within(bound, 1, 1))
        self.standardise = standardise

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (S, B, k, d) to (S, B, d)."""
        mixed = (self.weight * vectors).sum(dim=2) + self.bias
        return torch.relu(F.layer_norm(mixed, mixed.shape[-1:])) if self.standardise else mixed


class Attention(nn.Module):
    """Multi-head self-attention after layer normalisation; subclasses may change the weights."""

    def __init__(self, replicas: Replicas, width: int, *, dropout: float) -> None:
        super().__init__()
        self.norm = LayerNorm(replicas, width)
        self.to_qkv = Linear(replicas, width, 3 * width, bias=False)
        self.to_out = Linear(replicas, width, width)
        self.dropout = Dropout(replicas, dropout)

    def weights(self, scores: Tensor) -> Tensor:
        """Map scores (S, B, heads, R, T) of R queries to weights of the same shape."""
        return torch.softmax(scores, dim=-1)

    def forward(self, tokens: Tensor, rows: int, seen: Tensor | None = None) -> Tensor:
        """Map (S, B, T, d) to the first `rows` tokens of the result: (S, B, rows, d).

        With `seen` (S or 1, B, T), bool, no token reads those where it is False.
        """
        replicas, batch, length, width = tokens.shape
        qkv = self.to_qkv(self.norm(tokens.flatten(1, 2)))
        # Three of (S * B * heads, T, d / heads)
        split = qkv.reshape(replicas * batch, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        q, k, v = split.reshape(3, -1, length, width // HEADS)
        scores = torch.bmm(q[:, :rows] * (width // HEADS) ** -0.5, k.mT)
        scores = scores.view(replicas, batch, HEADS, rows, length)
        if seen is None:
            weights = self.weights(scores)
        else:  # the mask again on the result, because of weights that do not depend on scores
            mask = seen[:, :, None, None]
            weights = self.weights(scores.masked_fill(~mask, -torch.inf)) * mask
        mixed = torch.bmm(weights.flatten(0, 2), v).view(replicas, batch, HEADS, rows, width // HEADS)
        out = self.to_out(mixed.transpose(2, 3).reshape(replicas, batch * rows, width))
        result: Tensor = tokens[:, :, :rows] + self.dropout(out).view(replicas, batch, rows, width)
        return result


class TransLayer(Attention):
    """The layer of TransMIL: attention plus a learnt local mix of the values, no feed-forward part.

    Attention is exact, because there are only a few tokens.  The published layer pads the tokens with zeros to a
    multiple of its landmarks and does not mask the zeros.  `padding` is their number; each has the score 0.
    """

    def __init__(self, replicas: Replicas, width: int, *, dropout: float, padding: int) -> None:
        super().__init__(replicas, width, dropout=dropout)
        self.padding = padding
        # Initialised as a depthwise convolution of this length.
        bound = (2 * LOCAL_REACH + 1) ** -0.5
        self.local = nn.Parameter(replicas.within(bound, HEADS, 2 * LOCAL_REACH + 1))

    def weights(self, scores: Tensor) -> Tensor:
        """Map scores (S, B, heads, R, T) to weights of the same shape."""
        rows, length = scores.shape[-2:]
        if self.padding:
            # One more column for all padded positions: log(padding) stands for as many scores of 0.
            attention = torch.softmax(F.pad(scores, (0, 1), value=math.log(self.padding)), dim=-1)[..., :length]
        else:
            attention = torch.softmax(scores, dim=-1)
        return attention + self._mix(rows, length)[:, None]

    def _mix(self, rows: int, length: int) -> Tensor:
        """Return the local mix as a matrix (S, heads, R, T): entry (r, t) is the weight of the offset t - r."""
        if length <= FEW_TOKENS:
            places = _local_places(rows, length, self.local.device).to(self.local.dtype)
            return (self.local @ places).view(-1, HEADS, rows, length)
        # A ring of the weights and zeros; each row of the matrix is the ring, moved by one more place.
        size = length + LOCAL_REACH
        zeros = self.local.new_zeros(*self.local.shape[:2], size - self.local.shape[-1])
        ring = torch.cat([self.local[..., LOCAL_REACH:], zeros, self.local[..., :LOCAL_REACH]], dim=-1)
        flat = ring[:, :, None].expand(-1, -1, rows, -1).flatten(2)
        return flat[..., : rows * (size - 1)].view(*flat.shape[:2], rows, size - 1)[..., :length]


@functools.cache
def _local_places(rows: int, length: int, device: torch.device) -> Tensor:
    """Return (33, rows * length): ones at the places of each weight of the local kernel in the mixing matrix."""
    offset = LOCAL_REACH + torch.arange(length) - torch.arange(rows)[:, None]
    return (torch.arange(2 * LOCAL_REACH + 1)[:, None] == offset.flatten()).float().to(device)


class VanillaLayer(nn.Module):
    """The layer of a standard transformer encoder, with layer normalisation before each part."""

    def __init__(self, replicas: Replicas, width: int, *, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(replicas, width, dropout=dropout)
        self.norm = LayerNorm(replicas, width)
        self.widen = Linear(replicas, width, FEED_FORWARD * width)
        self.narrow = Linear(replicas, FEED_FORWARD * width, width)
        self.dropout = Dropout(replicas, dropout)

    def forward(self, tokens: Tensor, rows: int, seen: Tensor | None = None) -> Tensor:
        """Map (S, B, T, d) to the first `rows` tokens of the result: (S, B, rows, d), as :class:`Attention` does."""
        attended: Tensor = self.attention(tokens, rows, seen)
        flat = attended.flatten(1, 2)
        out = self.dropout(self.narrow(torch.relu(self.widen(self.norm(flat)))))
        result: Tensor = attended + out.view_as(attended)
        return result


class PostNormLayer(nn.Module):
    """The layer of the original transformer encoder, with layer normalisation after each residual sum.

    As in PyTorch's layer, dropout also applies to the weights of attention.
    """

    def __init__(self, replicas: Replicas, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.to_qkv = Linear(replicas, width, 3 * width)
        self.to_out = Linear(replicas, width, width)
        self.attended_norm = LayerNorm(replicas, width)
        self.widen = Linear(replicas, width, hidden)
        self.narrow = Linear(replicas, hidden, width)
        self.norm = LayerNorm(replicas, width)
        self.dropout = Dropout(replicas, dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (S, B, T, d) to (S, B, T, d)."""
        flat = tokens.flatten(1, 2)
        # Three of (S, B, heads, T, d / heads)
        q, k, v = self.to_qkv(flat).view(*tokens.shape[:3], 3, HEADS, -1).permute(3, 0, 1, 4, 2, 5)
        weights = self.dropout(torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=-1))
        mixed = (weights @ v).transpose(2, 3).reshape(flat.shape)
        flat = self.attended_norm(flat + self.dropout(self.to_out(mixed)))
        out = self.narrow(self.dropout(torch.relu(self.widen(flat))))
        result: Tensor = self.norm(flat + self.dropout(out)).view_as(tokens)
        return result


class Fusion(nn.Module):
    """A transformer on tokens and a class token: layers and a final normalisation."""

    def __init__(self, replicas: Replicas, width: int, layers: Sequence[Attention | VanillaLayer]) -> None:
        super().__init__()
        self.class_token = nn.Parameter(INIT_STD_CLASS_TOKEN * replicas.normal(1, 1, width))
        self.layers = nn.ModuleList(layers)
        self.norm = LayerNorm(replicas, width)

    def forward(self, tokens: Tensor, seen: Tensor | None = None) -> Tensor:
        """Map (S, B, T, d) to the class token's result (S, B, d); it does not read tokens where `seen` is False."""
        tokens = torch.cat([self.class_token.expand(-1, tokens.shape[1], -1, -1), tokens], dim=2)
        if seen is not None:
            seen = F.pad(seen, (1, 0), value=True)
        for layer in self.layers:
            # Only the class token of the last layer is needed.
            tokens = layer(tokens, 1 if layer is self.layers[-1] else tokens.shape[2], seen)
        fused: Tensor = self.norm(tokens[:, :, 0])
        return fused
