"""The survival methods, found by their packages in this folder.

A method is a package of two files.  ``__init__.py`` declares it: a :class:`ccl.methods.declaration.Method` and the
section ``Hyper`` of keys (:mod:`ccl.config.keys`).  ``network.py`` holds ``Model``, a
:class:`ccl.methods.interface.SurvivalModel` that is built from the shape of the data, a ``Hyper`` and the replicas.
Only the networks import torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from ccl.config.check import mistakes, refused, strictly
from ccl.io.errors import ConfigError
from ccl.methods.declaration import Method


def _find() -> dict[str, Method]:
    """Import the packages of this folder; return the methods that they declare by name, sorted by what they read."""
    methods = [
        replace(value, package=found.name)
        for found in pkgutil.iter_modules(__path__, f"{__name__}.")
        if found.ispkg
        for value in vars(importlib.import_module(found.name)).values()
        if isinstance(value, Method)
    ]
    return {method.name: method for method in sorted(methods, key=lambda m: (len(m.reads), m.reads, m.name))}


METHODS = _find()


def get_method(name: str, *, clinical: bool = False) -> Method:
    """Return the method called `name`, or raise :class:`ConfigError` with a list of all methods.

    Parameters
    ----------
    name : str
        The method.
    clinical : bool
        Whether it is given the covariates too.
    """
    if name not in METHODS:
        raise ConfigError(
            "unknown method",
            where="config, models",
            found=name,
            expected=", ".join(sorted(METHODS)),
            todo="correct the name",
        )
    return METHODS[name].with_clinical() if clinical else METHODS[name]


def load(name: str) -> ModuleType:
    """Import the network of a method: a module with its ``Model``."""
    return importlib.import_module(f"{get_method(name).package}.network")


def hyper(name: str, overrides: Mapping[str, Any], *, model: str = "") -> Any:
    """Return the hyper-parameters of a method, its defaults replaced by `overrides`.

    The key ``preset`` names the set of values to start from, one of the method's :attr:`Method.presets`.

    Parameters
    ----------
    name : str
        The method.
    overrides : mapping
        Values by key.
    model : str
        Name of the model in the config, for messages; without one, the method's name.

    Raises
    ------
    ConfigError
        The method or a key is unknown, a value has the wrong type or is out of range, or two values contradict each
        other.
    """
    made, found = _try(get_method(name), overrides, f"models: {model or name}")
    if found:
        raise mistakes(found)
    return made


def hyper_mistakes(name: str, overrides: Mapping[str, Any], *, model: str) -> list[str]:
    """Return the mistakes in the hyper-parameters of a model, a line for each (see :func:`hyper`)."""
    return _try(get_method(name), overrides, f"models: {model}")[1]


def _try(method: Method, overrides: Mapping[str, Any], place: str) -> tuple[Any, list[str]]:
    """Return the hyper-parameters, or None and a line for each mistake."""
    own = dict(overrides)
    preset = own.pop("preset", None)
    if preset is not None and preset not in method.presets:
        return None, [f"{place}: preset: found {preset}; expected {', '.join(method.presets) or 'no preset'}"]
    try:
        return strictly(method.hyper, {**method.presets.get(preset, {}), **own}), []
    except ValidationError as error:
        return None, [f"{place}: {line}" for line in refused(method.hyper, error)]
    except ConfigError as error:
        return None, [f"{place}: {error.line}"]


@contextmanager
def in_config_of(model: str) -> Iterator[None]:
    """Put the place of the model before the `where` of a :class:`ConfigError`, the key of a hyper-parameter."""
    try:
        yield
    except ConfigError as error:
        error.where = f"config, models: {model}" + (f": {error.where}" if error.where else "")
        raise
