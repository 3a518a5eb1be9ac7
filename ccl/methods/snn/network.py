"""The network of SNN (:mod:`ccl.methods.snn`)."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from ccl.data.batch import Batch, Shape
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.snn import Hyper
from ccl.nn.blocks import SnnLayer
from ccl.nn.replicas import Linear, Replicas

LAYERS = 4


class Model(SurvivalModel):
    """Four self-normalising layers on the families side by side, and a linear layer to the hazards."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        super().__init__()
        self.replicas = replicas
        widths = [sum(shape.families)] + [hyper.width] * LAYERS
        layers = [SnnLayer(replicas, a, b, dropout=hyper.dropout) for a, b in itertools.pairwise(widths)]
        self.layers = nn.Sequential(*layers, Linear(replicas, hyper.width, shape.intervals))

    def forward(self, batch: Batch) -> Output:
        """Return the logits (S, B, n)."""
        values = torch.cat(batch.genomics, dim=-1)
        return Output(self.layers(values.expand(len(self.replicas), -1, -1)))
