"""SNN: a self-normalising network on all omics at once (Klambauer et al., NeurIPS 2017).

Four layers as in the survival form of Chen et al. (ICCV 2021), with the activation (SELU) and the initialisation
(PyTorch's) of CCL's own genomic layers.  With ELU and normal weights of variance 1 / fan-in, as MCAT's class has them,
SGD at 1e-3 without momentum leaves the C-index on TCGA-BLCA five points lower after 30 epochs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import nn

from ccl.data.batch import Batch, Shape
from ccl.methods import parameter
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.recipes import MCAT
from ccl.nn.blocks import SnnLayer
from ccl.nn.replicas import Linear, Replicas

LAYERS = 4

NATIVE = MCAT


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of SNN."""

    width: int = parameter(256, "channels of each layer", minimum=1)
    dropout: float = parameter(0.25, "rate of alpha dropout after each layer", minimum=0, maximum=0.9)


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
