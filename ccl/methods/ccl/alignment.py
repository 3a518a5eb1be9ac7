"""Cluster centre alignment: sorts the centres of every patient by one anchor."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

SCORED_UP_TO = 7
"""Up to this many clusters, all orders are scored on the device; above, scipy solves the matching on the CPU."""

SCORES_AT_ONCE = 1 << 24
"""Number of scores that are held in memory at once."""


def l1_costs(centres: Tensor, anchor: Tensor) -> Tensor:
    """Return the L1 distances of the anchor's rows and the centres.

    Parameters
    ----------
    centres : Tensor, shape (S, B, k, D)
        Cluster centres of B patients, for each of S replicas.
    anchor : Tensor, shape (S, k, D)
        The reference of the order.

    Returns
    -------
    Tensor, shape (S, B, k, k)
        A row for each row of the anchor, a column for each centre.
    """
    replicas, batch, k, _ = centres.shape
    if batch == 1:
        # For a single patient the table of differences is small, and faster than the general function.
        return (anchor[:, :, None] - centres).abs_().sum(dim=-1)[:, None]
    distances = torch.cdist(anchor, centres.flatten(1, 2), p=1)
    return distances.view(replicas, k, batch, k).transpose(1, 2)


def cosine_costs(centres: Tensor, anchor: Tensor) -> Tensor:
    """Return the negative cosines of the anchor's rows and the centres; shapes as :func:`l1_costs`."""
    return -F.normalize(anchor, dim=-1)[:, None] @ F.normalize(centres, dim=-1).mT


def best_order(costs: Tensor) -> Tensor:
    """Return the order of columns with the smallest sum of costs.

    Parameters
    ----------
    costs : Tensor, shape (..., k, k)
        The cost of each column in each place.

    Returns
    -------
    Tensor, shape (..., k)
        int64, the column for each place.
    """
    k = costs.shape[-1]
    flat = costs.reshape(-1, k * k)
    if k > SCORED_UP_TO:
        solved = [linear_sum_assignment(cost)[1] for cost in flat.view(-1, k, k).cpu().numpy()]
        return torch.from_numpy(np.stack(solved)).to(costs.device).view(costs.shape[:-1])
    orders, places = _orders(k, costs.device)
    places = places.to(costs.dtype)
    parts = torch.split(flat, max(1, SCORES_AT_ONCE // len(orders)))
    found = [orders[(part @ places).argmin(dim=1)] for part in parts]
    return (found[0] if len(found) == 1 else torch.cat(found)).view(costs.shape[:-1])


@functools.cache
def _orders(k: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return all orders (k!, k), and a matrix (k * k, k!) with ones at the costs of each order."""
    orders = torch.tensor(list(itertools.permutations(range(k))))
    places = F.one_hot(orders, k).flatten(1).T.float()
    return orders.to(device), places.contiguous().to(device)
