"""Torch on one thread, and small models to look into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.methods import hyper, load
from ccl.methods.interface import SurvivalModel
from ccl.nn.replicas import Replicas

# The tests of several processes share the machine.
torch.set_num_threads(1)

SHAPE = Shape((7, 5, 11), intervals=4, clusters=3, features=10)


@pytest.fixture
def build() -> Callable[..., SurvivalModel]:
    """Return a function that builds a small model of some seeds."""

    def build(name: str = "ccl", seeds: tuple[int, ...] = (0,), **overrides: Any) -> SurvivalModel:
        chosen = hyper(name, {"width": 16, **overrides})
        return load(name).Model(SHAPE, chosen, Replicas(seeds))

    return build


@pytest.fixture
def patients() -> Callable[..., Batch]:
    """Return a function that draws patients (S, B, ...), with outcomes if asked for."""

    def patients(count: int, *, replicas: int = 1, outcomes: bool = False, seed: int = 0) -> Batch:
        rng = torch.Generator().manual_seed(seed)
        number = torch.arange(replicas * count).view(replicas, count)
        return Batch(
            tuple(torch.randn(replicas, count, size, generator=rng) for size in SHAPE.families),
            torch.randn(replicas, count, SHAPE.clusters, SHAPE.features, generator=rng),
            Outcomes(number % 4, number % 2 * 1.0, 3.0 + number) if outcomes else None,
        )

    return patients
