"""Cluster centre alignment: the centres of every patient in the order of one anchor."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def align(centres: Tensor, anchor: Tensor) -> Tensor:
    """Permute each patient's centres so that their summed L1 distance to the anchor's rows is least.

    Parameters
    ----------
    centres : Tensor, shape (B, k, D)
        Cluster centres in any order.
    anchor : Tensor, shape (k, D)
        What the order is taken from.

    Returns
    -------
    Tensor, shape (B, k, D)
        Row i of each patient is the centre matched to row i of the anchor.
    """
    costs = torch.cdist(anchor.expand_as(centres), centres, p=1).cpu().numpy()
    order = torch.from_numpy(np.stack([linear_sum_assignment(cost)[1] for cost in costs]))
    return torch.take_along_dim(centres, order.to(centres.device)[:, :, None], dim=1)
