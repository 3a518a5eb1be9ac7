"""What a download holds: its files by their use, found without reading any large table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccl.config.cohort_sections import KINDS
from ccl.io.errors import ConfigError, InputError


@dataclass(frozen=True)
class Download:
    """The files of a download."""

    layout: str
    """``cbioportal``, ``gdc`` or ``xena``."""
    folder: Path
    uses: Mapping[str, tuple[Path, ...]]
    """The files by what they are used for: ``rna``, ``cnv``, ``snv``, ``patients``, ...; further files of a kind have
    two words, such as ``snv samples``."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of omics."""
        return tuple(kind for kind in KINDS if kind in self.uses)

    @property
    def files(self) -> list[Path]:
        """All files, each once, in a fixed order."""
        return sorted({path for paths in self.uses.values() for path in paths})

    def without_omics(self) -> Download:
        """Return the same download without the files that only the omics tables need."""
        uses = {use: at for use, at in self.uses.items() if use.partition(" ")[0] not in KINDS}
        return Download(self.layout, self.folder, uses)


def check_kinds(found: Iterable[str], named: Sequence[str], folder: Path) -> list[str]:
    """Return the kinds of omics to read: those that the config names, or all that were found.

    Raises
    ------
    InputError
        The config names a kind that the download does not have.
    """
    known = list(found)
    lacking = [kind for kind in named if kind not in known]
    if lacking:
        raise InputError(
            "the download lacks a kind of omics that the config names",
            where=f"{folder}; config, from: {lacking[0]}",
            found=f"files of {', '.join(known)}" if known else "no omics files",
            expected=f"a file of {', '.join(lacking)}",
            todo="add the file to the folder, name it as `table`, or take the kind out of `from`",
        )
    return [kind for kind in known if not named or kind in named]


def only_one(choices: Mapping[str, Any], *, what: str, where: Path, key: str) -> str:
    """Return the only name among `choices`.

    Raises
    ------
    ConfigError
        There are several, so that the config must name one.
    """
    if len(choices) == 1:
        return next(iter(choices))
    raise ConfigError(
        f"the download has several tables of {what}",
        where=f"{where}; config, from: {key}",
        found=", ".join(choices),
        expected="the name of one of them",
        todo=f"name it in the config, such as `{key}: {next(iter(choices))}`",
    )


def named_choice(choices: Mapping[str, Any], name: str, *, where: Path, key: str) -> str:
    """Return `name` if it is among `choices`.

    Raises
    ------
    ConfigError
        It is not.
    """
    if name in choices:
        return name
    raise ConfigError(
        "the download has no such table",
        where=f"{where}; config, from: {key}",
        found=name,
        expected=f"one of {', '.join(choices)}" if choices else "a table of this kind in the folder",
        todo="correct the name",
    )
