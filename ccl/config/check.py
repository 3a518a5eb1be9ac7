"""Checking a config: all of its mistakes at once, each on one line."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from ccl.config.keys import keys_of, wording
from ccl.config.sections import Config
from ccl.io.errors import ConfigError
from ccl.io.files import existing

Section = TypeVar("Section")

MOST = 8
"""Mistakes that are listed; more would push the first ones off the screen."""


def read_config(path: Path) -> dict[str, Any]:
    """Read a config file, not yet checked.

    Raises
    ------
    InputError
        There is no such file.
    ConfigError
        The file is not YAML (with the line), or has no keys.
    """
    try:
        values = yaml.safe_load(existing(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            "the config is not YAML",
            where=f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path),
            found=str(getattr(error, "problem", error)),
            expected="YAML: keys and values, indented by spaces",
            todo="correct the line, or the one before it",
        ) from error
    if not isinstance(values, dict):
        raise ConfigError("the config has no keys", where=str(path), expected="`cohorts:` and what it needs")
    return values


def check_config(values: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Config:
    """Return the config with its types and defaults.

    Parameters
    ----------
    values : mapping
        As YAML gives them.
    files : sequence
        Where they come from, for the message.

    Raises
    ------
    ConfigError
        A key is unknown or missing, or a value is of the wrong type or outside its limits; all of them are listed.
    """
    try:
        return strictly(Config, _inherited(values))
    except ValidationError as error:
        raise mistakes(refused(Config, error), files) from error


def _inherited(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config whose ``tilings`` also have the keys of ``tile`` that they do not name."""
    common, tilings = values.get("tile", {}), values.get("tilings")
    if not isinstance(common, Mapping) or not isinstance(tilings, Mapping):
        return values
    whole = {name: {**common, **own} if isinstance(own, Mapping) else own for name, own in tilings.items()}
    return {**values, "tilings": whole}


def strictly(cls: type[Section], values: Mapping[str, Any]) -> Section:
    """Make a section of values as YAML gives them: text is no number, lists may be tuples, 1 may stand for 1.0.

    Raises
    ------
    ValidationError
        A key is unknown or missing, or a value is of the wrong type or outside its limits.
    """
    return TypeAdapter(cls).validate_json(json.dumps(values, default=str), strict=True)


def refused(cls: type, error: ValidationError) -> list[str]:
    """Return what pydantic refused of a section, a line for each mistake."""
    return [_mistake(cls, each) for each in error.errors()]


def mistakes(lines: Sequence[str], files: Sequence[str | Path] = ()) -> ConfigError:
    """Return the error that lists mistakes of a config, a line each."""
    shown = [*lines[:MOST], *([f"and {len(lines) - MOST} more"] if len(lines) > MOST else [])]
    where = ", ".join(map(str, files)) or "the config"
    count = "a mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return ConfigError(f"{where} has {count}; config/README.md lists every key" + "".join(f"\n  {x}" for x in shown))


def filled(config: Config, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as plain values with every default, each value as the user wrote it (8 stays 8, not 8.0).

    The parameters of jobs are made of these, so that a job does not run again for the way a number is written.
    """
    every = TypeAdapter(Config).dump_python(config, by_alias=True)
    whole: dict[str, Any] = _overlay(_plain(every), values)
    return whole


def _plain(value: Any) -> Any:
    """Return dictionaries without keys that say nothing, and lists in the place of tuples."""
    if isinstance(value, dict):
        own = {name: _plain(each) for name, each in value.items() if name != "hyper" and each is not None}
        return own | value.get("hyper", {})
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def _overlay(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, Mapping):
        return below | {name: _overlay(below.get(name), value) for name, value in above.items()}
    return above


def _mistake(cls: type, error: Any) -> str:
    """Return one mistake as a line: the path of the key, what was found, what is expected."""
    path = [part for part in error["loc"] if isinstance(part, str) and part != "[key]"]
    name, found = ": ".join(map(str, path)), error["input"]
    owner, info = _look_up(cls, path)
    match error["type"]:
        case "unexpected_keyword_argument" | "dataclass_unexpected":
            return f"{name}: there is no such key; {_nearest(str(path[-1]), list(keys_of(owner)))}"
        case "missing":
            return f"{name}: is missing; {info.description}"
        case "incomplete":
            return f"{name}: {error['msg']}"
        case "string_pattern_mismatch" if error["loc"][-1] == "[key]":
            return f"{name}: not a usable name; letters, digits, dots, dashes and underscores, as it becomes a folder"
    hint = ""
    if isinstance(found, str) and _is_number(found):
        hint = f"; write {float(found)!r}, as YAML takes {found} for text"
    expected = error["msg"] if error["type"] == "repeated" else wording(info)
    return f"{name}: found {json.dumps(found, default=str)[:80]}; expected {expected}{hint}"


def _look_up(cls: type, path: Sequence[Any]) -> tuple[type, Any]:
    """Return the section that the last key of a path belongs to, and the key's declaration, as far as there is one."""
    owner, info = cls, None
    for part in path:
        if part in keys_of(owner):
            info = keys_of(owner)[part]
        inner = [kind for kind in _kinds(info.annotation) if hasattr(kind, "__pydantic_fields__")] if info else []
        if inner and part != path[-1]:
            owner = inner[0]
    return owner, info


def _kinds(hint: Any) -> list[Any]:
    """Return the types that a hint is made of, outermost first."""
    return [hint, *(kind for argument in typing.get_args(hint) for kind in _kinds(argument))]


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"do you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
