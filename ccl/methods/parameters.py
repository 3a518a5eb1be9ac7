"""Checking the hyper-parameters of a config against their declarations."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Literal

from ccl.io.errors import ConfigError


@contextmanager
def in_config_of(model: str) -> Iterator[None]:
    """Complete the `where` of a :class:`ConfigError`, the key of a hyper-parameter, by the place of its model."""
    try:
        yield
    except ConfigError as error:
        error.where = f"config, models: {model}" + (f": {error.where}" if error.where else "")
        raise


def make_hyper(cls: type, overrides: Mapping[str, Any], *, presets: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a ``Hyper``, as :func:`ccl.methods.hyper` describes; errors name the key alone."""
    known = {item.name: item for item in fields(cls)}
    hints = typing.get_type_hints(cls)
    own = dict(overrides)
    preset = own.pop("preset", None)
    if preset is not None and preset not in presets:
        raise ConfigError(
            "the method has no such preset",
            where="preset",
            found=str(preset),
            expected=", ".join(presets) or "no preset",
            todo="correct the name, or remove the key",
        )
    for key, value in own.items():
        if key not in known:
            raise ConfigError(
                "the method has no such hyper-parameter",
                where=key,
                found=key,
                expected=", ".join([*known, *(["preset"] if presets else [])]),
                todo="correct the name, or remove the key",
            )
        if not _fits(value, hints[key], known[key].metadata):
            raise ConfigError(
                "a hyper-parameter has a value that it cannot have",
                where=key,
                found=repr(value),
                expected=_wording(hints[key], known[key].metadata),
                todo=f"correct the value, or remove the key to use the default, {known[key].default}",
            )
        if hints[key] is float:
            own[key] = float(value)
    return cls(**{**(presets[preset] if preset else {}), **own})


def _fits(value: Any, kind: Any, limits: Mapping[str, Any]) -> bool:
    if typing.get_origin(kind) is Literal:
        return value in typing.get_args(kind)
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if not isinstance(value, int if kind is int else (int, float)):
        return False
    if not math.isfinite(value) or not limits["minimum"] <= value <= limits["maximum"]:
        return False
    return limits["multiple_of"] is None or value % limits["multiple_of"] == 0


def _wording(kind: Any, limits: Mapping[str, Any]) -> str:
    if typing.get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if kind is bool:
        return "true or false"
    words = "a whole number" if kind is int else "a number"
    if limits["multiple_of"] is not None:
        words += f", a multiple of {limits['multiple_of']}"
    if math.isfinite(limits["minimum"]):
        words += f", at least {limits['minimum']}"
    if math.isfinite(limits["maximum"]):
        words += f", at most {limits['maximum']}"
    return words
