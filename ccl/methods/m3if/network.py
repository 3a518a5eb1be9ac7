"""The network of M3IF (:mod:`ccl.methods.m3if`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.m3if import Hyper
from ccl.nn.pooling import attend, bag_of
from ccl.nn.replicas import Dropout, Linear, Replicas
from ccl.nn.unimodal import GenesVector

CLASSIFIER_DROPOUT = 0.5


class Recalibration(nn.Module):
    """Gates between zero and one for the channels of two vectors, computed from both (Joze et al., CVPR 2020)."""

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        self.squeeze = Linear(replicas, 2 * width, width)
        self.excite = nn.ModuleList(Linear(replicas, width, width) for _ in range(2))

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Map two of (S, B, d) to the gates of each, (S, B, d)."""
        squeezed = torch.relu(self.squeeze(torch.cat([a, b], dim=-1)))
        of_a, of_b = (torch.sigmoid(excite(squeezed)) for excite in self.excite)
        return of_a, of_b


class ContextAttention(nn.Module):
    """Scores of patches, each concatenated with the same vector."""

    def __init__(self, replicas: Replicas, width: int) -> None:
        super().__init__()
        self.hidden = Linear(replicas, 2 * width, width)
        self.score = Linear(replicas, width, 1)

    def forward(self, patches: Tensor, context: Tensor) -> Tensor:
        """Map patches (S, N, d) and their context (S, 1, d) to scores before the softmax (S, N, 1)."""
        pairs = torch.cat([patches, context.expand_as(patches)], dim=-1)
        out: Tensor = self.score(F.leaky_relu(self.hidden(pairs)))
        return out


class Model(SurvivalModel):
    """Recalibration of both modalities, attention over patches, and two layers on genes, bag and mean patch."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        width = hyper.width
        self.patch = Linear(replicas, shape.features, width)
        self.genes = GenesVector(replicas, shape.families, width, dropout=hyper.dropout)
        self.recalibration = Recalibration(replicas, width)
        self.context_attention = ContextAttention(replicas, width)
        self.after_genes = Linear(replicas, width, width)
        self.joint = Linear(replicas, 3 * width, 3 * width)
        self.dropout = Dropout(replicas, CLASSIFIER_DROPOUT)
        self.head = Linear(replicas, 3 * width, shape.intervals)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        genes, mean, patches = self._recalibrated(batch)
        # In evaluation, attributions need the whole gradient of the genes.
        context = mean.detach() if self.training else mean
        attended = attend(self.context_attention(patches, context), patches)
        joint = torch.cat([self.after_genes(genes), attended, mean], dim=-1)
        return Output(self.head(self.dropout(self.joint(joint))))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the weights of patches in the attended mean; the network also reads their plain mean."""
        _, mean, patches = self._recalibrated(batch)
        return Attention(patches={"attention": torch.softmax(self.context_attention(patches, mean), dim=1)[..., 0]})

    def _recalibrated(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the recalibrated genes (S, 1, d), mean patch (S, 1, d) and patches (S, N, d)."""
        patches = F.leaky_relu(self.patch(bag_of(batch, self.replicas)))
        genes, mean = self.genes(batch.genomics), patches.mean(dim=1, keepdim=True)
        gate_genes, gate_slide = self.recalibration(genes, mean)
        return gate_genes * genes, gate_slide * mean, gate_slide * patches
