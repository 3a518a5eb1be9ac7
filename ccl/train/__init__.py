"""Stage ``train``: a method learns from the training patients of one fold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ccl.config.settings import setting
from ccl.methods import get_method

VERSION = 3
"""Raise it when the output of the stage changes for all methods; a method has a version of its own."""


def version(method: str, track: str) -> int:
    """Return a number that rises when the stage's output for a method on a track changes for the same input."""
    declared = get_method(method)
    return VERSION + declared.version + (declared.native_version if track == "native" else 0)


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
    inner: float | None = setting("share of the training patients held out to choose the epoch by", default=None)

    def stated(self) -> dict[str, Any]:
        """Return the settings by name; one that says nothing is left out, as if there were no such setting."""
        return {name: value for name, value in asdict(self).items() if value is not None}
