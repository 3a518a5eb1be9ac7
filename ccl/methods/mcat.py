"""MCAT: the multimodal co-attention transformer (Chen et al., ICCV 2021).

Each gene family asks the bag, by attention, for the patches that concern it.  From there on a slide is as many tokens
as there are families, whatever its number of patches, and a transformer for each modality is cheap.  As published,
what a family is told replaces it: no way leads around the co-attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Attention, Output, SurvivalModel
from ccl.methods.recipes import MCAT
from ccl.nn.blocks import HEADS
from ccl.nn.coattention import CoAttention, GuidedNetwork
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Replicas

NATIVE = MCAT


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of MCAT."""

    width: int = parameter(256, "channels of a patch and of a gene family", minimum=HEADS, multiple_of=HEADS)
    dropout: float = parameter(0.25, "rate of dropout", minimum=0, maximum=0.9)
    fusion: Literal["concat", "kronecker"] = parameter(
        "concat", "how the two modalities' vectors meet: side by side, or by the products of all pairs of channels"
    )


class Model(SurvivalModel):
    """Families query patches; a transformer and a pool for each modality; both vectors to the hazards."""

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
        """Return how much each family looks at each patch, and the mean over families."""
        families, patches = self.network.encode(batch, bag_of(batch, self.replicas))
        weights = self.coattention.weights(families, patches)
        return Attention(patches={"co-attention": weights.mean(dim=1)}, by_family=weights)
