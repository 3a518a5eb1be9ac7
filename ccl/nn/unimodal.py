"""Encoders of a bag and of all genes as one vector each, for methods that fuse vectors; S is the number of replicas."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch
from ccl.nn.blocks import SnnLayer
from ccl.nn.pooling import DenseLayer, GatedAttention, attend
from ccl.nn.replicas import Replicas


class BagVector(nn.Module):
    """The attention-weighted mean of all patches after a dense layer."""

    def __init__(self, replicas: Replicas, features: int, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.patch = DenseLayer(replicas, features, width, dropout=dropout)
        self.attention = GatedAttention(replicas, width, hidden, dropout=dropout)

    def forward(self, bag: Tensor) -> Tensor:
        """Map a bag (S, N, D) to (S, 1, width)."""
        patches = self.patch(bag)
        return attend(self.attention(patches), patches)

    def weights(self, bag: Tensor) -> Tensor:
        """Return the weights (S, N) of the patches in their mean."""
        return torch.softmax(self.attention(self.patch(bag)), dim=1)[..., 0]


class GenesVector(nn.Module):
    """Two self-normalising layers on all families concatenated, with ELU as in MCAT."""

    def __init__(self, replicas: Replicas, sizes: Sequence[int], width: int, *, dropout: float) -> None:
        super().__init__()
        self.replicas = replicas
        layers = (SnnLayer(replicas, n, width, dropout=dropout, activation=F.elu) for n in (sum(sizes), width))
        self.layers = nn.Sequential(*layers)

    def forward(self, genomics: Sequence[Tensor]) -> Tensor:
        """Map families (S, B, n_f), for one replica or all, to (S, B, width)."""
        values = torch.cat(list(genomics), dim=-1)
        out: Tensor = self.layers(values.expand(len(self.replicas), -1, -1))
        return out


def l1_penalty(batch: Batch, weight: float, *modules: nn.Module) -> dict[str, Tensor]:
    """Return the loss ``l1`` (S,), `weight` times the absolute values of all weights and biases.

    It is empty in evaluation mode, or if the weight is zero.
    """
    if not (weight and batch.outcomes is not None and all(module.training for module in modules)):
        return {}
    sums = [part.abs().flatten(1).sum(dim=1) for module in modules for part in module.parameters()]
    return {"l1": weight * torch.stack(sums).sum(dim=0)}
