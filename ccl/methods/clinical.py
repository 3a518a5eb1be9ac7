"""Covariates as an input of any network: the network's logits are added to those of a Cox model of the covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.cox import Hyper
from ccl.methods.cox.network import Model as Cox
from ccl.methods.interface import Output, SurvivalModel
from ccl.methods.wrapper import Wrapper
from ccl.nn.replicas import Replicas

SHARE = 0.5
"""Factor of the network's logits; with a factor of 1, overfitting of the network can cost more than it adds."""

COVARIATES = "covariates"
"""Name of the component of the covariates."""


class WithClinical(Wrapper):
    """A network whose logits are added to those of a Cox model of the covariates.

    The Cox model is fitted to the training patients before the first step, so the sum is as good as
    ``cox-clinical`` as long as the network has learnt nothing.  Its coefficients are then trained with the network.
    """

    def __init__(self, network: SurvivalModel, shape: Shape, replicas: Replicas) -> None:
        super().__init__(network)
        self.cox = Cox(replace(shape, families=(), features=0, clusters=0, vectors=0, tables=()), Hyper(), replicas)
        self.cox.weight.requires_grad_(True)

    @torch.no_grad()
    def begin(self, outcomes: Outcomes, clinical: Tensor | None = None) -> None:
        """Fit the Cox model, and prepare the network."""
        assert clinical is not None, "training patients have covariates"
        batch = Batch((), None, None, clinical=clinical[None])
        self.cox.solve(lambda: [batch], outcomes)
        self.network.begin(outcomes)

    def forward(self, batch: Batch) -> Output:
        """Return the logits of both, and the network's losses."""
        output: Output = self.network(batch)
        return replace(output, logits=SHARE * output.logits + self._term(batch))

    def _term(self, batch: Batch) -> Tensor:
        logits: Tensor = self.cox(Batch((), None, None, clinical=batch.clinical)).logits
        return logits

    def through(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the logits once for each component of the network, and once for the covariates."""
        term, parts = self._term(batch), self.network.through(batch)
        through = {name: SHARE * part + _without_gradient(term) for name, part in parts.items()}
        whole = next(iter(parts.values()))  # all have the same value
        return {**through, COVARIATES: SHARE * _without_gradient(whole) + term}


def _without_gradient(values: Tensor) -> Tensor:
    """Return the values with zero gradients: captum refuses inputs that a result does not depend on at all."""
    return values.detach() + 0 * values
