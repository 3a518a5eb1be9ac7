"""Command-line options made from the keys of a section.

A key has the same name in the config (``tile: {mpp: 0.5}``), in the section (``TileSettings.mpp``) and on the command
line (``ccl tile --mpp 0.5``).
"""

from __future__ import annotations

import functools
import shlex
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import click
from pydantic import ValidationError

from ccl.config.check import refused
from ccl.config.keys import default_of, keys_of, stated

Command = Callable[..., None]


def settings_options(cls: type) -> Callable[[Command], Command]:
    """Give a click command one option for each key of `cls`, collected as its ``settings`` argument."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def collected(**values: Any) -> None:
            own = {name: values.pop(name) for name in keys_of(cls)}
            try:
                settings = cls(**own)
            except ValidationError as error:
                raise click.UsageError("\n".join(refused(cls, error))) from error
            command(settings=settings, **values)

        decorated: Command = collected
        for name in reversed(list(keys_of(cls))):
            decorated = key_option(cls, name)(decorated)
        return decorated

    return decorate


def key_option(cls: type, name: str) -> Callable[[Command], Command]:
    """Return the option of one key of `cls`."""
    info = keys_of(cls)[name]
    hint, default = _bare(info.annotation), default_of(info)
    rest: dict[str, Any] = {"help": info.description, "required": info.is_required()}
    if not info.is_required():
        rest |= {"default": default, "show_default": default not in (None, ())}
    flag = _flag(name)
    if hint is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, **rest)
    if typing.get_origin(hint) is Literal:
        return click.option(flag, name, type=click.Choice(typing.get_args(hint)), **rest)
    if typing.get_origin(hint) is tuple:
        return click.option(flag, name, type=_bare(typing.get_args(hint)[0]), multiple=True, **rest)
    return click.option(flag, name, type=hint, **rest)


def _bare(hint: Any) -> Any:
    """Return a type without its limits and without None."""
    if typing.get_origin(hint) in (Annotated, types.UnionType, typing.Union):
        return _bare(typing.get_args(hint)[0])
    return hint


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def to_flags(cls: type, values: Mapping[str, Any]) -> str:
    """Render the keys of `cls` found in a section of the config as a command line's options.

    >>> to_flags(TileSettings, {"patch_size": 256, "mpp": 0.5, "unit": "microns", "min_tissue": 0.5})  # doctest: +SKIP
    '--patch-size 256 --mpp 0.5 --unit microns --min-tissue 0.5'
    """
    words: list[str] = []
    values = stated(cls, values)
    for name in keys_of(cls):
        value, flag = values.get(name), _flag(name)
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif value is not None:
            for each in value if isinstance(value, (list, tuple)) else [value]:
                words += [flag, shlex.quote(str(each))]
    return " ".join(words)
