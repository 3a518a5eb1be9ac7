"""Pooling: from the output of a network to one vector per patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def average_map(levels: Sequence[Tensor], prefix: int) -> Tensor:
    """Average the one feature map (B, D, H, W) of `levels` over H and W."""
    return levels[0].float().mean(dim=(2, 3))


def class_token(tokens: Tensor, prefix: int) -> Tensor:
    """Return the first of the tokens (B, T, D)."""
    return tokens[:, 0].float()


def class_and_mean(tokens: Tensor, prefix: int) -> Tensor:
    """Join the class token and the mean of the patch tokens to (B, 2 D).

    The first `prefix` of the tokens (B, T, D) are the class token and the registers, which belong to no patch.
    """
    tokens = tokens.float()
    return torch.cat([tokens[:, 0], tokens[:, prefix:].mean(dim=1)], dim=1)


def network_output(vectors: Tensor, prefix: int) -> Tensor:
    """Return the vectors (B, D) of a network that pools by itself."""
    return vectors.float()


POOLING: dict[str, Callable[..., Tensor]] = {
    "map": average_map,
    "class": class_token,
    "class+mean": class_and_mean,
    "network": network_output,
}
