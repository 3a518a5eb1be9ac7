"""Options of commands: one name in the config, the section and the command line."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner

from ccl.config.keys import LATER, REQUIRED, key, recorded, section
from ccl.config.options import settings_options, to_flags


@section
class Settings:
    """Every kind of key."""

    size_px: int = key(REQUIRED, "size", ge=16)
    ratio: float = key(0.5, "ratio")
    mode: Literal["a", "b"] = key("a", "mode")
    strict: bool = key(False, "strict")
    names: tuple[str, ...] = key((), "names")
    limit: str | None = key(None, "limit")


@pytest.fixture
def seen() -> list[Settings]:
    return []


@pytest.fixture
def command(seen: list[Settings]) -> click.Command:
    @click.command()
    @settings_options(Settings)
    def collect(settings: Settings) -> None:
        seen.append(settings)

    return collect


@pytest.mark.parametrize("limit", [None, "x y"])
@pytest.mark.parametrize("names", [(), ("one", "it's two")])
def test_flags_come_back_as_the_same_settings(
    command: click.Command, seen: list[Settings], names: tuple[str, ...], limit: str | None
) -> None:
    wanted = Settings(size_px=256, ratio=1e-05, mode="b", strict=True, names=names, limit=limit)
    result = CliRunner().invoke(command, shlex.split(to_flags(Settings, dataclasses.asdict(wanted))))
    assert result.exit_code == 0, result.output
    assert seen == [wanted]


def test_a_later_key_at_its_default_leaves_no_trace() -> None:
    @section
    class Grown:
        """A section with a key that came later."""

        size_px: int = key(16, "size")
        overlap: Annotated[float, LATER] = key(0.0, "overlap", ge=0)

    assert to_flags(Grown, {"size_px": 32, "overlap": 0}) == "--size-px 32"
    assert to_flags(Grown, {"size_px": 32, "overlap": 0.5}) == "--size-px 32 --overlap 0.5"
    assert recorded(Grown()) == {"size_px": 16}
    assert recorded(Grown(overlap=0.5)) == {"size_px": 16, "overlap": 0.5}


def test_what_is_left_out_has_its_default(command: click.Command, seen: list[Settings]) -> None:
    assert CliRunner().invoke(command, ["--size-px", "32"]).exit_code == 0
    assert seen == [Settings(size_px=32)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Missing option '--size-px'"),
        (["--size-px", "8"], "size_px: found 8; expected a whole number, at least 16"),
    ],
)
def test_a_wrong_value_is_a_usage_error(command: click.Command, arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert expected in result.output


def test_a_number_is_rendered_as_the_user_wrote_it() -> None:
    assert to_flags(Settings, {"size_px": 16, "ratio": 1}) == "--size-px 16 --ratio 1"
