"""Training recipes: the config's own for the unified track, the authors' for the native track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """One way to train."""

    optimiser: Literal["sgd", "adam", "radam", "lookahead-radam"]
    """SGD has no momentum; ``lookahead`` moves the weights halfway back to slow copies of them every sixth step."""
    lr: float
    weight_decay: float
    """L2 penalty, added to the gradient."""
    epochs: int
    accumulate: int = 1
    """Patients whose mean gradient makes a step; those left over at the end of an epoch make one more."""
    sampling: Literal["uniform", "weighted"] = "uniform"
    clip: float | None = None
    """Gradients with a larger norm are scaled down to it."""
    schedule: Literal["constant", "cosine", "linear", "fifth"] = "constant"
    """Of the learning rate.  ``cosine``: it rises during the first epoch, then falls to zero, step by step; ``linear``:
    it falls after each epoch by the same amount, to zero after the last; ``fifth``: a fifth after half the epochs."""
    nll_alpha: float = 0.0
    """Weight moved from all patients to those with an observed death in the likelihood."""
    hyper: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters that belong to the recipe, such as the weight of a penalty; the config's own take precedence."""


MCAT = Recipe("adam", lr=2e-4, weight_decay=1e-5, epochs=20, accumulate=32, sampling="weighted")
"""How Chen et al. (ICCV 2021) train all methods of their comparison; also used for methods without released code."""

WHOLE_EPOCH = 2**31
"""A value of ``accumulate`` larger than any cohort: one step an epoch, from all patients."""
