"""Attention among all patches of a bag, without the full attention matrix; S is the number of replicas.

The layers of TransMIL (Shao et al., NeurIPS 2021), also used by CMTA (Zhou and Chen, ICCV 2023).  Attention is
Nystrom's approximation (Xiong et al., AAAI 2021): patches attend to m landmarks, the means of runs of consecutive
patches.  ``A1 pinv(A2) A3 v`` is computed from the right.  A1 is the attention of patches to landmarks, and A3 that of
landmarks to patches.  Each is then an ordinary attention, whose matrix (heads, N, m) is never stored.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ccl.nn import HEADS
from ccl.nn.blocks import INIT_STD_CLASS_TOKEN, LOCAL_REACH, Fusion, TransLayer
from ccl.nn.replicas import Dropout, LayerNorm, Linear, Replicas

DROPOUT = 0.1
"""Rate of dropout after the attention of each layer."""

INVERSE_STEPS = 6
"""Iterations of the pseudo-inverse; convergence needs about 20, so this number is part of the published layer."""

KERNELS = (7, 5, 3)
"""Sides of the convolutions that encode positions."""


class NystromLayer(nn.Module):
    """The layer of TransMIL: Nystrom attention after layer normalisation plus a local mix of the values.

    It has no feed-forward part, 8 heads, and half as many landmarks as channels.  As published, zeros are added in
    front of the tokens up to a multiple of the number of landmarks.  They are not masked, so they take part in the
    attention.
    """

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        self.landmarks = width // 2
        self.norm = LayerNorm(replicas, width)
        self.to_qkv = Linear(replicas, width, 3 * width, bias=False)
        self.to_out = Linear(replicas, width, width)
        # The initialisation of a depthwise convolution of this length.
        bound = (2 * LOCAL_REACH + 1) ** -0.5
        self.local = nn.Parameter(replicas.within(bound, HEADS, 2 * LOCAL_REACH + 1))
        self.dropout = Dropout(replicas, DROPOUT)

    def forward(self, tokens: Tensor, rows: int) -> Tensor:
        """Map (S, N, d) to the first `rows` tokens of the result: (S, rows, d)."""
        # Recomputed in the backward pass; dropout stays outside, because it would draw different numbers there.
        mixed = checkpoint(self._attend, tokens, rows, use_reentrant=False, preserve_rng_state=False)
        out: Tensor = tokens[:, :rows] + self.dropout(mixed)
        return out

    def _attend(self, tokens: Tensor, rows: int) -> Tensor:
        padding, q, k, v = self._projected(tokens)
        q_marks, k_marks = self._marks(q), self._marks(k)
        among = torch.softmax(q_marks @ k_marks.mT * q.shape[-1] ** -0.5, dim=-1)
        seen = pseudo_inverse(among) @ F.scaled_dot_product_attention(q_marks, k, v)
        attended = F.scaled_dot_product_attention(q[:, :, padding : padding + rows], k_marks, seen)
        # Only the values that the rows reach; the zeros in front equal the padding of a convolution.
        reached = v[:, :, padding : padding + rows + LOCAL_REACH].flatten(0, 1)[None]
        kernel = self.local.flatten(0, 1)[:, None, :, None]
        local = F.conv2d(reached, kernel, padding=(LOCAL_REACH, 0), groups=len(kernel))[0, :, :rows]
        out: Tensor = self.to_out((attended + local.view_as(attended)).transpose(1, 2).flatten(2))
        return out

    def weights(self, tokens: Tensor) -> Tensor:
        """Return the attention (S, heads, N) of the first of the tokens (S, N, d) to all of them.

        It is a row of the matrix ``A1 pinv(A2) A3`` that multiplies the values, without the columns of the zeros in
        front.  The pseudo-inverse has negative entries, so a weight can be negative.
        """
        padding, q, k, _ = self._projected(tokens)
        k_marks, q = self._marks(k), q * q.shape[-1] ** -0.5
        q_marks, first = self._marks(q), q[:, :, padding : padding + 1]
        inverse = pseudo_inverse(torch.softmax(q_marks @ k_marks.mT, dim=-1))
        row = torch.softmax(first @ k_marks.mT, dim=-1) @ inverse
        # One head at a time: A3 of all heads would be larger than any matrix of the layer.
        heads = [row[:, h] @ torch.softmax(q_marks[:, h] @ k[:, h].mT, dim=-1) for h in range(HEADS)]
        return torch.cat(heads, dim=1)[..., padding:]

    def _projected(self, tokens: Tensor) -> tuple[int, Tensor, Tensor, Tensor]:
        """Return the number of zeros in front, and q, k and v, (S, heads, N, d / heads) each."""
        padding = -tokens.shape[1] % self.landmarks
        padded = F.pad(self.norm(tokens), (0, 0, padding, 0))
        q, k, v = self.to_qkv(padded).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return padding, q, k, v

    def _marks(self, part: Tensor) -> Tensor:
        """Return the landmarks (S, heads, m, d / heads): the means of runs of tokens."""
        return part.reshape(*part.shape[:2], self.landmarks, -1, part.shape[-1]).mean(dim=3)


def pseudo_inverse(a: Tensor) -> Tensor:
    """Approximate the pseudo-inverses of non-negative matrices (S, heads, m, m): equation (11) of Xiong et al.

    The result of six iterations depends on the initial matrix, which is divided by the largest sums over all heads of a
    replica.
    """
    largest = a.sum(dim=-1).amax(dim=(1, 2)) * a.sum(dim=-2).amax(dim=(1, 2))
    z, a = (a.mT / largest[:, None, None, None]).flatten(0, 1), a.flatten(0, 1)
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device).expand_as(a)
    seven, fifteen, thirteen = 7 * eye, 15 * eye, 13 / 4 * eye
    for _ in range(INVERSE_STEPS):
        # z (13 - az (15 - az (7 - az))) / 4
        az = a @ z
        z = z @ torch.baddbmm(thirteen, az, torch.baddbmm(fifteen, az, seven - az, alpha=-1), alpha=-1 / 4)
    return z.view(len(largest), -1, *z.shape[1:])


class PPEG(nn.Module):
    """Pyramid position encoding generator: three depthwise convolutions of the tokens laid out as a square."""

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(replicas.within(1 / side, width, side, side) for side in KERNELS)
        self.biases = nn.ParameterList(replicas.within(1 / side, width) for side in KERNELS)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map the tokens of a square, row by row, (S, M * M, d), to the same shape."""
        side = math.isqrt(tokens.shape[1])
        # A sum of convolutions is one convolution with the sum of the centred kernels.
        sizes = [(KERNELS[0] - weight.shape[-1]) // 2 for weight in self.weights]
        kernel = torch.stack([F.pad(weight, (size,) * 4) for weight, size in zip(self.weights, sizes, strict=True)])
        bias = torch.stack(list(self.biases)).sum(dim=0)
        square = tokens.mT.reshape(1, -1, side, side)
        weight = kernel.sum(dim=0).flatten(0, 1)[:, None]
        placed = F.conv2d(square, weight, bias.flatten(), padding=KERNELS[0] // 2, groups=len(weight))
        return tokens + placed.view_as(tokens.mT).mT


class TokenTransformer(nn.Module):
    """A transformer on tokens and a class token: two layers and a final normalisation."""

    def __init__(self, replicas: Replicas, width: int, *, init_std: float = INIT_STD_CLASS_TOKEN) -> None:
        super().__init__()
        self.class_token = nn.Parameter(init_std * replicas.normal(1, width))
        self.layers = nn.ModuleList(NystromLayer(replicas, width) for _ in range(2))
        self.norm = LayerNorm(replicas, width)

    def forward(self, tokens: Tensor, *, class_only: bool = True) -> Tensor:
        """Map tokens (S, T, d) to the class token's result (S, 1, d), or to those of all tokens (S, 1 + T, d)."""
        tokens = self._first(tokens)
        out: Tensor = self.norm(self.layers[1](tokens, 1 if class_only else tokens.shape[1]))
        return out

    def _first(self, tokens: Tensor) -> Tensor:
        """Map tokens (S, T, d) to the input of the second layer, (S, 1 + T, d)."""
        tokens = torch.cat([self.class_token, tokens], dim=1)
        return self.between(self.layers[0](tokens, tokens.shape[1]))

    def between(self, tokens: Tensor) -> Tensor:
        """Map the output of the first layer to the input of the second."""
        return tokens


class PatchTransformer(TokenTransformer):
    """A transformer on all patches, with positions from :class:`PPEG` between the layers.

    The N patches are laid out in the order of their files as the smallest square of side M that holds them.  The
    first ``M * M - N`` patches are repeated to fill the square, so T is ``M * M``.
    """

    def __init__(self, replicas: Replicas, width: int, *, init_std: float = INIT_STD_CLASS_TOKEN) -> None:
        super().__init__(replicas, width, init_std=init_std)
        self.positions = PPEG(replicas, width)

    def forward(self, tokens: Tensor, *, class_only: bool = True) -> Tensor:
        """Map patches (S, N, d) to the class token's result (S, 1, d), or to those of all tokens (S, 1 + T, d)."""
        return super().forward(squared(tokens), class_only=class_only)

    def weights(self, tokens: Tensor) -> Tensor:
        """Return the shares (S, N) of patches (S, N, d) in the attention of the class token in the second layer.

        They come from the mean over heads of :meth:`NystromLayer.weights`; the weights of a repeated patch are added.
        Negative weights are set to zero.  If all are zero, the shares are equal.
        """
        last = self.layers[1]
        assert isinstance(last, NystromLayer), "made in __init__"
        rows = last.weights(self._first(squared(tokens))).mean(dim=1)[:, 1:]
        kept = unsquared(rows, tokens.shape[1]).clamp(min=0)
        none = (kept == 0).all(dim=-1, keepdim=True)
        return F.normalize(kept, p=1.0, dim=-1) + none / kept.shape[-1]

    def between(self, tokens: Tensor) -> Tensor:
        """Add positions to all tokens but the first."""
        return torch.cat([tokens[:, :1], self.positions(tokens[:, 1:])], dim=1)


def squared(patches: Tensor) -> Tensor:
    """Repeat the first patches of (S, N, d) up to a square number."""
    count = patches.shape[1]
    missing = (math.isqrt(count - 1) + 1) ** 2 - count
    return torch.cat([patches, patches[:, :missing]], dim=1)


def unsquared(weights: Tensor, count: int) -> Tensor:
    """Return the weights (..., N) of `count` patches from those of their square, (..., M * M), adding up repeats."""
    repeated = weights.shape[-1] - count
    return weights[..., :count] + F.pad(weights[..., count:], (0, count - repeated))


def exact_fusion(replicas: Replicas, width: int, count: int) -> Fusion:
    """Return a :class:`TokenTransformer` on `count` tokens with exact attention, for any number of patients.

    It is the limit of many iterations of the pseudo-inverse; a few tokens need no approximation.  The zeros in front
    still take part in the attention.
    """
    padding = -(1 + count) % (width // 2)
    return Fusion(replicas, width, [TransLayer(replicas, width, dropout=DROPOUT, padding=padding) for _ in range(2)])
