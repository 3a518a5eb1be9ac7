"""MaxMIL: the largest value of each channel over all patches of a bag, or the one patch that is surest of an interval.

The paper of CCL speaks of a maximum over instances and says no more.  The maximum of channels is the default; with
``level: instance`` the whole bag is judged by one patch, as in the multi-class MIL of Lu et al. (Nat. Biomed. Eng.
2021).  Layer and width are those of AttMIL, and so is the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ccl.data.batch import Batch, Shape
from ccl.methods import meanmil, parameter
from ccl.methods.interface import Attention, Output
from ccl.methods.recipes import MCAT
from ccl.nn.pooling import bag_of
from ccl.nn.replicas import Replicas

NATIVE = MCAT


@dataclass(frozen=True)
class Hyper(meanmil.Hyper):
    """Hyper-parameters of MaxMIL."""

    level: Literal["feature", "instance"] = parameter(
        "feature", "maximum of each channel, or logits of the patch with the highest probability of any interval"
    )


class Model(meanmil.Model):
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
        return Output(logits.take_along_dim(_surest(logits)[:, None, None], dim=1))

    def attends_to(self, batch: Batch) -> Attention:
        """Return the share of channels whose maximum is a patch's, or all for the one patch that is judged.

        This is no attention: there are no weights.  Patches that share a channel's maximum, such as the zero of one
        that none has, share the channel too.
        """
        patches = self.patch(bag_of(batch, self.replicas))
        if self.level == "feature":
            largest = (patches == patches.amax(dim=1, keepdim=True)).to(patches.dtype)
            return Attention(patches={"maximum": (largest / largest.sum(dim=1, keepdim=True)).mean(dim=-1)})
        surest = _surest(self.head(patches))
        return Attention(patches={"maximum": F.one_hot(surest, patches.shape[1]).to(patches.dtype)})


def _surest(logits: Tensor) -> Tensor:
    """Return the place (S,) of the patch with the highest probability of any interval, of logits (S, N, n)."""
    return torch.softmax(logits, dim=-1).amax(dim=-1).argmax(dim=1)
