"""The networks of the Cox models (:mod:`ccl.methods.cox`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods.cox import Hyper
from ccl.methods.cox.linear import LinearCox
from ccl.nn.replicas import Replicas


class Model(LinearCox):
    """A Cox model whose columns are genes, or the mean of each family, and the mean patch or a vector."""

    def __init__(self, shape: Shape, hyper: Hyper, replicas: Replicas) -> None:
        genes = sum(shape.families) if hyper.genes == "columns" else len(shape.families)
        super().__init__(shape, hyper, replicas, heavy=genes + shape.features + shape.vectors)
        self.hyper = hyper

    def solve(self, patients: Callable[[], Iterable[Batch]], outcomes: Outcomes) -> None:
        """Fit to the training patients."""
        x = torch.cat([self.columns(batch)[0] for batch in patients()])
        self.settle(x.double().cpu().numpy(), outcomes)

    def heavy(self, batch: Batch) -> list[Tensor]:
        """Return the columns (1 or S, B, ...): genes, slides and vectors."""
        genes = self.genes(batch)
        if self.hyper.genes == "family-means":
            mean = torch.mean if batch.present is None else torch.nanmean
            genes = [mean(family, dim=-1, keepdim=True) for family in genes]
        vectors = [] if batch.vectors is None else [batch.vectors]
        return [*genes, *self._slides(batch), *vectors]

    def _slides(self, batch: Batch) -> list[Tensor]:
        """Return the mean patch (1, 1, D), NaN for a patient without slides; nothing if no slides are read."""
        if batch.bag is None:
            return []
        if batch.present is None or batch.present.slides is None or bool(batch.present.slides.all()):
            return [batch.bag.mean(dim=1, keepdim=True)]
        return [batch.bag.new_full((len(batch.bag), 1, self.features), torch.nan)]
