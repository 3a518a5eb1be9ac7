"""The hyper-parameters that a config changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from ccl.methods import get_method
from ccl.methods import hyper as make_hyper


@dataclass(frozen=True)
class Choices:
    """How hyper-parameters differ from the defaults of their method."""

    preset: str
    """The nearest preset; empty for the method's defaults."""
    by_preset: Mapping[str, Any]
    """Values that the preset changes."""
    own: Mapping[str, Any]
    """Values that differ from the preset; without a preset, from the defaults."""


def choices(method: str, hyper: Mapping[str, Any]) -> Choices:
    """Return how the hyper-parameters of a run (``hyper`` in ``run.json``) differ from the method's defaults.

    Raises
    ------
    ConfigError
        There is no such method.
    """
    sets = _sets(method)
    beyond = {name: _differing(hyper, values) for name, values in sets.items()}
    nearest = min(sets, key=lambda name: len(beyond[name]))  # on ties, the defaults come first
    own = beyond[nearest]
    return Choices(nearest, {key: value for key, value in beyond[""].items() if key not in own}, own)


@cache
def _sets(method: str) -> dict[str, dict[str, Any]]:
    """Return the hyper-parameters of each preset by name; first the defaults, whose name is empty."""
    names = ("", *get_method(method).presets)
    return {name: asdict(make_hyper(method, {"preset": name} if name else {})) for name in names}


def _differing(hyper: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in hyper.items() if values.get(key) != value}
