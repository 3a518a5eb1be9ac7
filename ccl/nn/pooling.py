"""Pooling of bags, for methods that read all patches, and vectors; S is the number of replicas."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccl.data.batch import Batch
from ccl.nn.replicas import Dropout, Linear, Replicas


def bag_of(batch: Batch, replicas: Replicas) -> Tensor:
    """Return the bag (S, N, D) of a batch, the same for each replica if there is only one."""
    assert batch.bag is not None, "a method that reads bags is given one"
    return batch.bag.expand(len(replicas), -1, -1)


def vectors_of(batch: Batch, replicas: Replicas) -> Tensor:
    """Return the vectors (S, B, D) of a batch, the same for each replica if there are only those of one."""
    assert batch.vectors is not None, "a method that reads vectors is given them"
    return batch.vectors.expand(len(replicas), -1, -1)


class DenseLayer(nn.Module):
    """Linear layer, ReLU and dropout on each patch or token."""

    def __init__(self, replicas: Replicas, n_in: int, n_out: int, *, dropout: float) -> None:
        super().__init__()
        self.linear = Linear(replicas, n_in, n_out)
        self.dropout = Dropout(replicas, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (S, N, n_in) to (S, N, n_out)."""
        out: Tensor = self.dropout(torch.relu(self.linear(x)))
        return out


class GatedAttention(nn.Module):
    """Scores of patches, ``W3 (tanh(W1 x) * sigmoid(W2 x))``: equation (9) of Ilse et al., ICML 2018."""

    def __init__(self, replicas: Replicas, n_in: int, hidden: int, branches: int = 1, *, dropout: float) -> None:
        super().__init__()
        self.value = Linear(replicas, n_in, hidden)
        self.gate = Linear(replicas, n_in, hidden)
        self.score = Linear(replicas, hidden, branches)
        self.dropouts = nn.ModuleList(Dropout(replicas, dropout) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Map patches (S, N, n_in) to scores before the softmax (S, N, branches)."""
        value, gate = self.dropouts
        out: Tensor = self.score(value(torch.tanh(self.value(x))) * gate(torch.sigmoid(self.gate(x))))
        return out


def attend(scores: Tensor, x: Tensor) -> Tensor:
    """Return the means (S, branches, d) of patches (S, N, d), weighted by the softmax of scores (S, N, branches)."""
    return torch.softmax(scores, dim=1).mT @ x
