"""Stage ``train``: a method learns from the training patients of one fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccl.settings import setting

VERSION = 3
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class TrainSettings:
    """How a method is trained."""

    epochs: int = setting("passes over the training patients")
    lr: float = setting("learning rate of SGD")
    weight_decay: float = setting("L2 penalty of SGD")
    intervals: int = setting("survival intervals n")
    intervals_from: Literal["train", "cohort"] = setting(
        "whose times the interval edges come from; cohort includes test patients"
    )
    sampling: Literal["uniform", "weighted"] = setting(
        "uniform: each training patient once an epoch; weighted: drawn so that all classes are equally frequent"
    )
    seeds: tuple[int, ...] = setting("one model per seed, trained side by side")
