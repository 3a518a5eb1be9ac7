"""A model of the config: a method, with what differs from its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ccl.methods import get_method
from ccl.plan.cohorts import Cohort


@dataclass(frozen=True)
class Model:
    """One entry of ``models``, or a point of the paper's ablations."""

    name: str
    entry: Mapping[str, Any]
    default_k: int
    """Clusters of the cluster stage."""

    @property
    def method(self) -> str:
        """The method behind the name."""
        return str(self.entry.get("method", self.name))

    @property
    def k(self) -> int:
        """Clusters that the model reads of each patient."""
        return int(self.entry.get("k", self.default_k))

    @property
    def track(self) -> str:
        """``unified`` or ``native``."""
        return str(self.entry.get("track", "unified"))

    @property
    def overrides(self) -> dict[str, Any]:
        """The hyper-parameters that differ from the method's own."""
        return {key: value for key, value in self.entry.items() if key not in ("method", "k", "track")}

    @property
    def reads(self) -> tuple[str, ...]:
        """What the model learns from: ``bags``, ``clusters``, ``genomics``."""
        return get_method(self.method).reads

    @property
    def reads_slides(self) -> bool:
        """Whether it learns from slides, as bags or as clusters."""
        return bool({"clusters", "bags"} & set(self.reads))

    def lacks(self, cohort: Cohort) -> list[str]:
        """Return the inputs that the model reads and a cohort does not have: ``slides``, ``omics``."""
        wanted = {"slides": self.reads_slides, "omics": "genomics" in self.reads}
        return [key for key in wanted if wanted[key] and getattr(cohort.entry, key) is None]


class Run(NamedTuple):
    """A model trained on a cohort with the features of an encoder (``none`` for a model that reads no slides)."""

    cohort: str
    encoder: str
    model: str


class Blank(NamedTuple):
    """A model that a cohort cannot train, with the reason."""

    model: str
    cohort: str
    reason: str
