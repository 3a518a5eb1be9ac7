"""What a model of the config chooses that its method does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from ccl.methods import get_method
from ccl.methods import hyper as make_hyper


@dataclass(frozen=True)
class Choices:
    """Hyper-parameters, as what they change of a method's own."""

    preset: str
    """The preset that they are nearest to; empty where that is the method's defaults."""
    by_preset: Mapping[str, Any]
    """What differs from the defaults because the preset says so."""
    own: Mapping[str, Any]
    """What differs from the preset, or without one from the defaults."""


def choices(method: str, hyper: Mapping[str, Any]) -> Choices:
    """Return what the hyper-parameters of a run, as ``run.json`` has them, change of their method's own.

    Raises
    ------
    ConfigError
        There is no such method.
    """
    sets = _sets(method)
    beyond = {name: _differing(hyper, values) for name, values in sets.items()}
    nearest = min(sets, key=lambda name: len(beyond[name]))  # the defaults, which are first, where two are as near
    own = beyond[nearest]
    return Choices(nearest, {key: value for key, value in beyond[""].items() if key not in own}, own)


@cache
def _sets(method: str) -> dict[str, dict[str, Any]]:
    """Return the hyper-parameters of each preset of a method by its name, the defaults first and without one."""
    names = ("", *get_method(method).presets)
    return {name: asdict(make_hyper(method, {"preset": name} if name else {})) for name in names}


def _differing(hyper: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in hyper.items() if values.get(key) != value}
