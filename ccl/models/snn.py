"""SNN: a self-normalising network on all omics at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import nn

from ccl.models import parameter
from ccl.models.blocks import snn_block
from ccl.models.interface import Batch, Output, Shape, SurvivalModel

LAYERS = 4


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of SNN."""

    width: int = parameter(256, minimum=1)
    """Channels of each layer."""
    dropout: float = parameter(0.25, minimum=0, maximum=0.9)
    """Rate of alpha dropout after each layer."""


class Model(SurvivalModel):
    """Four self-normalising layers (ELU) on the families side by side, and a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper) -> None:
        super().__init__()
        widths = [sum(shape.families)] + [hyper.width] * LAYERS
        blocks = [snn_block(a, b, nn.ELU(), hyper.dropout) for a, b in itertools.pairwise(widths)]
        self.layers = nn.Sequential(*blocks, nn.Linear(hyper.width, shape.intervals))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, batch: Batch) -> Output:
        """Return the logits of B patients."""
        return Output(self.layers(torch.cat(batch.genomics, dim=1)))
