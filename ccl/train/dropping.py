"""Dropping of whole modalities in training, so that a network learns to do without either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from ccl.data.batch import Batch, Present, Shape
from ccl.nn.replicas import Replicas

Change = Callable[[Batch], Batch]


def modality_dropout(rate: float, shape: Shape, replicas: Replicas) -> Change | None:
    """Return a function that hides a modality of some patients of a batch; None if nothing is to be hidden.

    A patient with slides and genes loses one of the two with probability `rate`, either with the same probability.
    Each replica draws its own numbers.
    """
    return partial(_drop, rate=rate, shape=shape, replicas=replicas) if rate and shape.lacks_slides else None


def _drop(batch: Batch, *, rate: float, shape: Shape, replicas: Replicas) -> Batch:
    count = batch.genomics[0].shape[1]
    drawn = replicas.uniform(count)
    present = batch.present or _complete(count, shape, replicas)
    assert present.slides is not None, "a method that reads both modalities"
    both = present.genes & present.slides
    slides = both & (drawn < rate / 2)
    genes = both & (drawn >= rate / 2) & (drawn < rate)
    return replace(batch, present=Present(present.tables & ~genes[..., None], present.slides & ~slides))


def _complete(count: int, shape: Shape, replicas: Replicas) -> Present:
    """Return that `count` patients of each replica have everything."""
    there = torch.ones(len(replicas), count, dtype=torch.bool, device=replicas.device)
    return Present(there[..., None].expand(-1, -1, shape.n_tables), there)
