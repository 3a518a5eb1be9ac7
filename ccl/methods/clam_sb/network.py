"""The network of CLAM-SB (:mod:`ccl.methods.clam_sb`)."""

from __future__ import annotations

import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.clam_sb import Hyper
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.nn.pooling import DenseLayer, GatedAttention, attend, bag_of
from ccl.nn.replicas import Linear, Replicas

SAMPLED = 8
"""Patches with the highest, and with the lowest attention, on which a classifier of patches is trained."""


class Model(SurvivalModel):
    """A layer per patch, gated attention over patches, a linear layer to the hazards; classifiers of patches."""

    multiple = False
    """Whether each interval has its own attention and its own pooled bag."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas, self.weight = replicas, hyper.instance_weight
        n, width = shape.intervals, hyper.width
        branches = n if self.multiple else 1
        self.patch = DenseLayer(replicas, shape.features, width, dropout=hyper.dropout)
        self.attention = GatedAttention(replicas, width, hyper.hidden, branches, dropout=hyper.dropout)
        self.head = Linear(replicas, width, n // branches, maps=(branches,))
        self.instance = Linear(replicas, width, 2, maps=(n,))

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n), and in training the loss of the classifiers of patches, if it is on."""
        patches = self.patch(bag_of(batch, self.replicas))
        scores = self.attention(patches)
        logits = self.head(attend(scores, patches)[:, :, None]).flatten(1)[:, None]
        if not (self.weight and self.training and batch.outcomes):
            return Output(logits)
        return Output(logits, {"instance": self.weight * self._instance_loss(patches, scores, batch.outcomes)})

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in their mean, in CLAM-MB for each interval."""
        scores = self.attention(self.patch(bag_of(batch, self.replicas)))
        branches = torch.softmax(scores, dim=1).unbind(dim=-1)
        names = [f"interval {number}" for number in range(1, len(branches) + 1)] if self.multiple else ["attention"]
        return Attention(patches=dict(zip(names, branches, strict=True)))

    def _instance_loss(self, patches: Tensor, scores: Tensor, outcomes: Outcomes) -> Tensor:
        """Return the mean cross-entropy (S,) of the chosen patches; 0 for censored patients, whose class is unknown."""
        count = min(SAMPLED, patches.shape[1] // 2)
        if count == 0:  # a single patch
            return patches.new_zeros(len(patches))
        intervals = self.instance.weight.shape[1]
        own = torch.arange(len(patches), device=patches.device), outcomes.labels[:, 0]
        attention = scores.mT.expand(-1, intervals, -1)[own]
        chosen = torch.cat([attention.topk(count, largest=largest).indices for largest in (True, False)], dim=1)
        shown = patches.gather(1, chosen[..., None].expand(-1, -1, patches.shape[-1]))
        answers = torch.log_softmax(self.instance(shown[:, None].expand(-1, intervals, -1, -1))[own], dim=-1)
        right = answers[:, :count, 1].sum(dim=1) + answers[:, count:, 0].sum(dim=1)
        return (outcomes.censorship[:, 0] - 1) * right / (2 * count)
