"""The network of DTFD-MIL (:mod:`ccl.methods.dtfd_mil`)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.dtfd_mil import Hyper
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.nn.likelihood import survival_nll
from ccl.nn.pooling import GatedAttention, attend, bag_of
from ccl.nn.replicas import Linear, Replicas


class Model(SurvivalModel):
    """A layer per patch, then gated attention and a linear layer, first on pseudo-bags and then on their vectors."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.hyper = replicas, hyper
        self.patch = Linear(replicas, shape.features, hyper.width, bias=False)
        self.attention = GatedAttention(replicas, hyper.width, hyper.hidden, dropout=0.0)
        self.head = Linear(replicas, hyper.width, shape.intervals)
        self.second_attention = GatedAttention(replicas, hyper.width, hyper.hidden, dropout=0.0)
        self.second_head = Linear(replicas, hyper.width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n) of the second tier, and in training the loss of the first."""
        patches = torch.relu(self.patch(bag_of(batch, self.replicas)))
        pooled = attend(self._split(self.attention(patches)), patches)
        distilled = pooled if self.hyper.end_to_end else pooled.detach()
        logits = self.second_head(attend(self.second_attention(distilled), distilled))
        if not (self.training and batch.outcomes):
            return Output(logits)
        return Output(logits, {"first_tier": first_tier_loss(self.head(pooled), batch.outcomes)})

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in the second tier's mean, which is a mean of means.

        Each is the patch's weight in its pseudo-bag (first tier) times the weight of this pseudo-bag (second tier).
        """
        patches = torch.relu(self.patch(bag_of(batch, self.replicas)))
        first = torch.softmax(self._split(self.attention(patches)), dim=1)
        second = torch.softmax(self.second_attention(first.mT @ patches), dim=1)
        return Attention(patches={"attention": (first @ second)[..., 0]})

    def _split(self, scores: Tensor) -> Tensor:
        """Map scores (S, N, 1) to those of K pseudo-bags (S, N, K), minus infinity for patches of other pseudo-bags."""
        count = scores.shape[1]
        if self.training:
            order = self.replicas.orders(count)
        else:
            order = torch.from_numpy(np.random.default_rng(0).permutation(count)).to(scores.device)[None]
        number = min(self.hyper.pseudo_bags, count)
        own = order[..., None] % number == torch.arange(number, device=scores.device)
        return scores.masked_fill(~own, -torch.inf)


def first_tier_loss(logits: Tensor, outcomes: Outcomes) -> Tensor:
    """Return the mean likelihood loss (S,) of pseudo-bags (S, K, n), each with the outcome of its bag."""
    parts = (outcomes.labels, outcomes.censorship, outcomes.months)
    return survival_nll(logits, Outcomes(*(part.expand(-1, logits.shape[1]) for part in parts)))
