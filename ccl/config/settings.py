"""One settings dataclass per stage, and the command-line options made from it.

A stage's settings have the same names in the config (``tile: {mpp: 0.5}``), in the dataclass
(``TileSettings.mpp``) and on the command line (``ccl tile --mpp 0.5``).  Defaults of the config's keys live in
``workflow/schemas/config.schema.yaml``, so a setting without a default of its own is a required option.
"""

from __future__ import annotations

import functools
import shlex
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from typing import Any, Literal

import click


def setting(help: str, *, default: Any = MISSING) -> Any:
    """Declare one field of a settings dataclass, with the text that ``--help`` shows; without a default, required."""
    return field(default=default, metadata={"help": help})


def settings_options(cls: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a click command one required option per field of `cls`, collected as its ``settings`` argument."""
    hints = typing.get_type_hints(cls)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def collected(**values: Any) -> None:
            settings = cls(**{f.name: values.pop(f.name) for f in fields(cls)})
            command(settings=settings, **values)

        decorated: Callable[..., None] = collected
        for item in reversed(fields(cls)):
            decorated = _option(item.name, hints[item.name], item.metadata["help"], item.default)(decorated)
        return decorated

    return decorate


def _option(name: str, hint: Any, text: str, default: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    flag = "--" + name.replace("_", "-")
    given: dict[str, Any] = {"required": True} if default is MISSING else {"default": default}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, **given, help=text)
    if origin is Literal:
        return click.option(flag, name, **given, type=click.Choice(arguments), help=text)
    if origin is tuple:
        return click.option(flag, name, multiple=True, type=arguments[0], help=text + " (repeat for several)")
    if origin in (types.UnionType, typing.Union):
        return click.option(flag, name, default=None, type=arguments[0], help=text)
    return click.option(flag, name, **given, type=hint, help=text)


def to_flags(cls: type, values: Mapping[str, Any]) -> str:
    """Render the fields of `cls` found in a config section as a command line's options.

    >>> to_flags(TileSettings, {"patch_size": 256, "mpp": 0.5})  # doctest: +SKIP
    '--patch-size 256 --mpp 0.5'
    """
    words: list[str] = []
    for item in fields(cls):
        value, flag = values[item.name], "--" + item.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif value is not None:
            for each in value if isinstance(value, (list, tuple)) else [value]:
                words += [flag, shlex.quote(str(each))]
    return " ".join(words)
