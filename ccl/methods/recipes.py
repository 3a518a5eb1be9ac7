"""How a method is trained: by the config's own section (the unified track), or as its authors do (the native one)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """One way to train; a method's module may hold its authors' own as ``NATIVE``."""

    optimiser: Literal["sgd", "adam", "radam", "lookahead-radam"]
    """SGD has no momentum; ``lookahead`` draws the weights halfway back to slow copies of them every sixth step."""
    lr: float
    weight_decay: float
    """L2 penalty, added to the gradient."""
    epochs: int
    accumulate: int = 1
    """Patients whose mean gradient makes a step; those left at the end of an epoch make one of their own."""
    sampling: Literal["uniform", "weighted"] = "uniform"
    clip: float | None = None
    """Norm of the gradient above which it is shortened to this."""
    schedule: Literal["constant", "cosine", "linear", "fifth"] = "constant"
    """Of the learning rate.  ``cosine``: it rises for an epoch and then falls to zero, step by step; ``linear``: it
    falls by as much from each epoch to the next, to zero after the last; ``fifth``: to a fifth after half of them."""
    nll_alpha: float = 0.0
    """Weight moved from all patients to those with an observed death in the likelihood."""
    hyper: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters that belong to the recipe, such as the weight of a penalty; the config's own go before them."""


MCAT = Recipe("adam", lr=2e-4, weight_decay=1e-5, epochs=20, accumulate=32, sampling="weighted")
"""How Chen et al. (ICCV 2021) train all methods of their comparison; also for those that nobody has released."""

WHOLE_EPOCH = 2**31
"""More patients than any cohort has: to ``accumulate`` so many makes one step an epoch, by all of them."""
