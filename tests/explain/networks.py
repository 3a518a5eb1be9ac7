"""Small networks of any method, and patients for them."""

from __future__ import annotations

from typing import Any

import torch

from ccl.data.batch import Batch, Shape
from ccl.methods import hyper, load
from ccl.nn.replicas import Replicas

FAMILIES = (7, 5, 11)


def network(method: str, **options: Any) -> Any:
    """A network with two replicas, its biases not what they were born as."""
    reads_bags = method != "ccl"
    shape = Shape(FAMILIES, 4, 0 if reads_bags else 6, 10)
    model = load(method).Model(shape, hyper(method, {"width": 16, **options}), Replicas((0, 1))).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    return model


def batch(patients: int = 2) -> Batch:
    draw = torch.Generator().manual_seed(1)
    genes = tuple(torch.randn(1, patients, size, generator=draw) for size in FAMILIES)
    return Batch(genes, torch.randn(1, patients, 6, 10, generator=draw), None)


def bag(patches: int = 50) -> Batch:
    return Batch(batch(1).genomics, None, None, torch.randn(1, patches, 10, generator=torch.Generator().manual_seed(2)))
