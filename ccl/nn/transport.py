"""Optimal transport between patches and gene families, for many micro-batches at once."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_STEPS = 1000

THRESHOLD = 1e-6
"""Scaling ends when the relative change of a step is below this."""


def transport_cost(patches: Tensor, families: Tensor) -> Tensor:
    """Return the cost of moving each patch to each family, divided by the largest: float64 (..., L, F).

    It is the squared distance between the vectors (..., L, d) and (..., F, d), each minus its smallest entry.
    """
    a, b = ((x - x.amin(dim=-1, keepdim=True)).double() for x in (patches, families))
    distance = torch.cdist(a, b).square()
    # All zero only if all patches and families are equal.
    largest = distance.amax(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(distance.dtype).tiny)
    return distance / largest


def unbalanced_plan(cost: Tensor, rows: Tensor, columns: Tensor, *, epsilon: float, tau: float) -> Tensor:
    """Return the plan that moves `rows` to `columns` by unbalanced entropic transport (Chizat et al., 2018).

    The plan P minimises ``<P, cost> + epsilon <P, log P - 1> + tau KL(P 1 | rows) + tau KL(P^T 1 | columns)``: its
    margins may differ from the given ones.  Several problems are scaled until all have converged.

    Parameters
    ----------
    cost : Tensor, shape (..., L, F), float64
        Costs between 0 and 1.
    rows : Tensor, shape (..., L)
        Masses to move; 0 for the padding of a micro-batch.
    columns : Tensor, shape (..., F)
        Masses to receive.
    epsilon : float
        Weight of the entropy.
    tau : float
        Weight of both margins.

    Returns
    -------
    Tensor, shape (..., L, F)
    """
    kernel = torch.exp(-cost / epsilon)
    power = tau / (tau + epsilon)
    u, v = torch.ones_like(cost[..., :1]), torch.ones_like(cost[..., :1, :]).mT
    for _ in range(MOST_STEPS):
        before = u, v
        u = (rows[..., None] / (kernel @ v)) ** power
        v = (columns[..., None] / (kernel.mT @ u)) ** power
        if (_change(u, before[0]) + _change(v, before[1])).max() <= 2 * THRESHOLD:
            break
    return u * kernel * v.mT


def _change(new: Tensor, old: Tensor) -> Tensor:
    """Return the change of a scaling (..., n, 1), relative to its largest entry or, if larger, to 1."""
    scale = torch.maximum(new, old).amax(dim=(-2, -1)).clamp(min=1)
    return (new - old).abs().amax(dim=(-2, -1)) / scale
