"""A model of the config: a method, with changes to its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ccl.methods import get_method
from ccl.methods.declaration import Method


@dataclass(frozen=True)
class Model:
    """One entry of ``models``, or a point of the paper's ablations."""

    name: str
    entry: Mapping[str, Any]
    default_k: int
    """Clusters of the cluster stage."""

    @property
    def method_name(self) -> str:
        """The name of the method, which may be unknown."""
        return str(self.entry.get("method", self.name))

    @property
    def method(self) -> Method:
        """The method of this name.

        Raises
        ------
        ConfigError
            There is no such method.
        """
        return get_method(self.method_name, clinical=bool(self.entry.get("clinical")))

    @property
    def k(self) -> int:
        """Number of clusters of each patient that the model reads."""
        return int(self.entry.get("k", self.default_k))

    @property
    def track(self) -> str:
        """``unified`` or ``native``."""
        return str(self.entry.get("track", "unified"))

    @property
    def overrides(self) -> dict[str, Any]:
        """The hyper-parameters that differ from the method's defaults."""
        return {key: value for key, value in self.entry.items() if key not in ("method", "k", "track", "clinical")}

    @property
    def reads(self) -> tuple[str, ...]:
        """What the model learns from: ``bags``, ``clusters``, ``genomics``, ``clinical``."""
        return self.method.reads

    @property
    def reads_slides(self) -> bool:
        """Whether the model learns from slides, as bags or as clusters."""
        return self.method.reads_slides


class Run(NamedTuple):
    """A model trained on a cohort with the features of an encoder (``none`` for a model that reads no slides)."""

    cohort: str
    encoder: str
    model: str


class Blank(NamedTuple):
    """A model that cannot be trained on a cohort, with the reason."""

    model: str
    cohort: str
    reason: str
