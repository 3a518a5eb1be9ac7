"""The network of MCAT (:mod:`ccl.methods.mcat`)."""

from __future__ import annotations

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.mcat import Hyper
from ccl.nn.coattention import CoAttention, GuidedNetwork
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Replicas


class Model(SurvivalModel):
    """Co-attention of families to patches, a transformer and a pool for each modality, and a linear layer."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        self.network = GuidedNetwork(shape, replicas, hyper.width, dropout=hyper.dropout, fusion=hyper.fusion)
        self.coattention = CoAttention(replicas, hyper.width)

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        families, patches = self.network.encode(batch, bag_of(batch, self.replicas))
        attended = self.coattention(families, patches)
        return Output(self.network.hazards(attended[:, None], families))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the attention of each family to each patch, and the mean over families."""
        families, patches = self.network.encode(batch, bag_of(batch, self.replicas))
        weights = self.coattention.weights(families, patches)
        return Attention(patches={"co-attention": weights.mean(dim=1)}, by_family=weights)
