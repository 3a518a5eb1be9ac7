"""MaxMIL: the largest value of each channel over all patches of a bag, or the one patch that is surest of an interval.

The paper of CCL speaks of a maximum over instances and says no more.  The maximum of channels is the default; with
``level: instance`` the whole bag is judged by one patch, as in the multi-class MIL of Lu et al. (Nat. Biomed. Eng.
2021).  Layer and width are those of AttMIL, and so is the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from ccl.models import meanmil, parameter
from ccl.models.interface import Batch, Output, Shape
from ccl.models.pooling import bag_of
from ccl.models.recipes import MCAT
from ccl.models.replicas import Replicas

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
        surest = torch.softmax(logits, dim=-1).amax(dim=-1).argmax(dim=1)
        return Output(logits[torch.arange(len(logits), device=logits.device), surest][:, None])
