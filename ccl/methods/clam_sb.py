"""CLAM-SB: clustering-constrained attention MIL, single branch (Lu et al., Nat. Biomed. Eng. 2021).

Gated attention as in AttMIL, and beside it a classifier of patches for each class, which learns that the patches with
the highest attention speak for the class and those with the lowest do not.  The method is one of classification: for
survival, the interval of an observed death is the class.  Published code that trains it on survival builds the
classifiers and never calls their loss, so it is off by default; the authors' own training weights it 0.3 to 0.7.
Their early stopping, by the loss of validation patients, is not part of the recipe: it trains 200 epochs, the most that
they do.  ``train: inner`` holds patients out to choose the epoch by, for all methods alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods import parameter
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.recipes import Recipe
from ccl.nn.pooling import DenseLayer, GatedAttention, attend, bag_of
from ccl.nn.replicas import Linear, Replicas

NATIVE = Recipe("adam", lr=1e-4, weight_decay=1e-5, epochs=200, hyper={"instance_weight": 0.3 / 0.7})

SAMPLED = 8
"""So many patches with the highest and with the lowest attention are shown to the classifier of patches."""


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of both forms of CLAM."""

    width: int = parameter(512, "channels of a patch", minimum=1)
    hidden: int = parameter(256, "channels of the attention", minimum=1)
    dropout: float = parameter(0.25, "rate of dropout after each layer", minimum=0, maximum=0.9)
    instance_weight: float = parameter(0.0, "weight of the loss of the classifiers of patches", minimum=0)


class Model(SurvivalModel):
    """A layer per patch, gated attention over patches, a linear layer to the hazards; classifiers of patches."""

    multiple = False
    """Whether each interval has an attention and a pooled bag of its own."""

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
        """Return the logits (S, 1, n), and the loss of the classifiers of patches if it has a weight."""
        patches = self.patch(bag_of(batch, self.replicas))
        scores = self.attention(patches)
        logits = self.head(attend(scores, patches)[:, :, None]).flatten(1)[:, None]
        if not (self.weight and self.training and batch.outcomes):
            return Output(logits)
        return Output(logits, {"instance": self.weight * self._instance_loss(patches, scores, batch.outcomes)})

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in their mean, of CLAM-MB for each interval."""
        scores = self.attention(self.patch(bag_of(batch, self.replicas)))
        branches = torch.softmax(scores, dim=1).unbind(dim=-1)
        names = [f"interval {number}" for number in range(1, len(branches) + 1)] if self.multiple else ["attention"]
        return Attention(patches=dict(zip(names, branches, strict=True)))

    def _instance_loss(self, patches: Tensor, scores: Tensor, outcomes: Outcomes) -> Tensor:
        """Return the mean cross-entropy (S,) of the patches shown; 0 of a censored patient, whose class is unknown."""
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
