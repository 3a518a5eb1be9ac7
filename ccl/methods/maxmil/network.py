"""The network of MaxMIL (:mod:`ccl.methods.maxmil`)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Attention, Output
from ccl.methods.maxmil import Hyper
from ccl.methods.meanmil import network
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Replicas


class Model(network.Model):
    """A layer per patch, a maximum over patches, and a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__(shape, hyper, replicas)
        self.level = hyper.level

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, 1, n)."""
        patches = self.patch(bag_of(batch, self.replicas))
        if self.level == "feature":
            return Output(self.head(patches.amax(dim=1, keepdim=True)))
        logits = self.head(patches)
        return Output(logits.take_along_dim(_most_confident(logits)[:, None, None], dim=1))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the share of channels whose maximum lies in each patch, or all for the one patch that decides.

        This is not attention: there are no weights.  Patches with the same maximum of a channel, such as zero, share
        the channel.
        """
        patches = self.patch(bag_of(batch, self.replicas))
        if self.level == "feature":
            largest = (patches == patches.amax(dim=1, keepdim=True)).to(patches.dtype)
            return Attention(patches={"maximum": (largest / largest.sum(dim=1, keepdim=True)).mean(dim=-1)})
        chosen = _most_confident(self.head(patches))
        return Attention(patches={"maximum": F.one_hot(chosen, patches.shape[1]).to(patches.dtype)})


def _most_confident(logits: Tensor) -> Tensor:
    """Return the place (S,) of the patch with the highest probability of any interval, of logits (S, N, n)."""
    return torch.softmax(logits, dim=-1).amax(dim=-1).argmax(dim=1)
