"""The likelihood that every method is trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from ccl.models.interface import Outcomes, survival

SMALLEST = 1e-7
"""Probabilities are clamped from below to this before the logarithm."""


def survival_nll(logits: Tensor, outcomes: Outcomes) -> Tensor:
    """Return the mean negative log-likelihood of discrete survival: equation (8) of the CCL paper.

    A patient who died in interval y survived all before it and not y itself; a censored one survived y.

    Parameters
    ----------
    logits : Tensor, shape (B, n)
        Hazards before the sigmoid.
    outcomes : Outcomes
        Interval and censorship of the B patients.

    Returns
    -------
    Tensor, shape ()
    """
    column = outcomes.labels[:, None]
    # S_0 = 1 in front, so that column y is the survival before interval y and column y + 1 the one after it.
    survived = torch.cat([torch.ones_like(logits[:, :1]), survival(logits)], dim=1)
    before = survived.gather(1, column).clamp(min=SMALLEST).log()
    hazard = torch.sigmoid(logits).gather(1, column).clamp(min=SMALLEST).log()
    after = survived.gather(1, column + 1).clamp(min=SMALLEST).log()
    censored = outcomes.censorship[:, None]
    return -(censored * after + (1 - censored) * (before + hazard)).mean()
