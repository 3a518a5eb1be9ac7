"""The survival methods, found by their packages in this folder.

A method is a package of two files.  ``__init__.py`` declares it: a :class:`ccl.methods.declaration.Method` and the
frozen dataclass ``Hyper``.  ``network.py`` holds ``Model``, a :class:`ccl.methods.interface.SurvivalModel` that is
built from the shape of the data, a ``Hyper`` and the replicas.  Only the networks import torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from ccl.io.errors import ConfigError
from ccl.methods.declaration import Method
from ccl.methods.parameters import in_config_of, make_hyper


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


def get_method(name: str) -> Method:
    """Return the method called `name`, or raise :class:`ConfigError` listing those there are."""
    if name not in METHODS:
        raise ConfigError(
            "unknown method",
            where="config, models",
            found=name,
            expected=", ".join(sorted(METHODS)),
            todo="correct the name",
        )
    return METHODS[name]


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
    method = get_method(name)
    with in_config_of(model or name):
        return make_hyper(method.hyper, overrides, presets=method.presets)
