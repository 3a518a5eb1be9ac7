"""Declaring keys: type, default, limits and help, once."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

import annotated_types
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Class = TypeVar("Class", bound=type)

REQUIRED: Any = ...
"""The default of a key that has none."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""What becomes a folder: letters, digits, dot, dash and underscore."""

Text = Annotated[str, StringConstraints(min_length=1)]
"""A path, or text that must not be empty."""


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "each value once")
    return values


Different = AfterValidator(_different)
"""A list that holds no value twice."""

LATER = object()
"""Marks a key that was added later, with a default that keeps the earlier behaviour.

While the key has its default, it is left out of options and records (:func:`stated`), so earlier results stay valid.
"""


def key(default: Any, help: str, **limits: Any) -> Any:
    """Declare a key of a section.

    Parameters
    ----------
    default : Any
        :data:`REQUIRED` for a key that every config must have.
    help : str
        What the key means, with its unit; for ``--help`` and the tables of config/README.md.
    **limits
        Of pydantic: ``ge``, ``gt``, ``le``, ``lt``, ``multiple_of``, ``min_length``, ``pattern``; and ``alias``, the
        name in the config of a key that is a word of Python.
    """
    if isinstance(default, (list, dict)):
        return Field(default_factory=default.copy, description=help, **limits)
    return Field(default, description=help, **limits)


def subsection(cls: type) -> Any:
    """Declare a key that is a section itself, with the defaults of its class."""
    return Field(default_factory=cls, description=(cls.__doc__ or "").strip())


@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(cls: Class) -> Class:
    """Make a class of keys a frozen dataclass that refuses unknown keys and values outside their limits."""
    config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)
    return dataclass(frozen=True, kw_only=True, config=config)(cls)  # type: ignore[return-value]


def keys_of(cls: type) -> Mapping[str, FieldInfo]:
    """Return the keys of a section by name, in the order of their declaration."""
    found: Mapping[str, FieldInfo] = cls.__pydantic_fields__  # type: ignore[attr-defined]
    return {info.alias or name: info for name, info in found.items()}


def default_of(info: FieldInfo) -> Any:
    """Return a key's default; None for a key that is required or has none."""
    return None if info.is_required() else info.get_default(call_default_factory=True)


def stated(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a section by key, without the keys marked :data:`LATER` that have their default."""
    later = {name: default_of(info) for name, info in keys_of(cls).items() if LATER in info.metadata}
    return {name: value for name, value in values.items() if name not in later or value != later[name]}


def recorded(settings: Any) -> dict[str, Any]:
    """Return the settings that a stage records and uses in the keys of its results (see :data:`LATER`)."""
    return stated(type(settings), asdict(settings))


def wording(info: FieldInfo) -> str:
    """Say in words which values a key takes.

    >>> wording(keys_of(Example)["epochs"])  # doctest: +SKIP
    'a whole number, at least 1'
    """
    return _kind(info.annotation) + "".join(map(_limit, info.metadata))


def _kind(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _kind(arguments[0]) + "".join(map(_limit, arguments[1:]))
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (types.UnionType, typing.Union):
        return _kind(arguments[0])
    if origin is tuple:
        return f"a list, each {_kind(arguments[0])}"
    if origin is dict or hasattr(hint, "__pydantic_fields__"):
        return "a section of keys"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[hint]


def _limit(limit: Any) -> str:
    match limit:
        case annotated_types.Ge(ge=bound):
            return f", at least {bound}"
        case annotated_types.Gt(gt=bound):
            return f", above {bound}"
        case annotated_types.Le(le=bound):
            return f", at most {bound}"
        case annotated_types.Lt(lt=bound):
            return f", below {bound}"
        case annotated_types.MultipleOf(multiple_of=factor):
            return f", a multiple of {factor}"
        case annotated_types.MinLen(min_length=length):
            return f", {length} or more"
        case StringConstraints(min_length=1):
            return ", not empty"
    pattern = getattr(limit, "pattern", None)
    return f" of the form {pattern}" if pattern else ""
