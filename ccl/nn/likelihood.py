"""The likelihood that every method is trained with."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ccl.data.batch import Outcomes

LEAST = math.log(1e-7)
"""Minimum of the logarithms of probabilities."""


def survival_nll(logits: Tensor, outcomes: Outcomes, *, alpha: float = 0.0) -> Tensor:
    """Return the mean negative log-likelihood of discrete survival: equation (8) of the CCL paper, in log space.

    A patient who died in interval y survived all earlier intervals, but not y.  A censored patient also survived y.

    Parameters
    ----------
    logits : Tensor, shape (S, B, n)
        Hazards before the sigmoid.
    outcomes : Outcomes
        Interval and censorship of the B patients of each replica.
    alpha : float
        Weight moved from all patients to those with an observed death (Zadeh and Schmid, IEEE TPAMI 2020).

    Returns
    -------
    Tensor, shape (S,)
    """
    column = outcomes.labels[..., None]
    # With log S_0 = 0 in front, column y is the survival before interval y and column y + 1 the survival after it.
    log_hazard = F.logsigmoid(logits)
    log_survived = F.pad((log_hazard - logits).cumsum(dim=-1), (1, 0))
    before = log_survived.gather(-1, column)
    hazard = log_hazard.gather(-1, column)
    after = log_survived.gather(-1, column + 1)
    parts = torch.cat([before, hazard, after], dim=-1).clamp(min=LEAST)
    censored = outcomes.censorship
    likelihood = torch.where(censored == 1, (1 - alpha) * parts[..., 2], parts[..., 0] + parts[..., 1])
    return -likelihood.mean(dim=-1)
