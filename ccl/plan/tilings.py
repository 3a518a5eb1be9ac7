"""The tilings of a config: which patches each encoder reads, and in which folder they are.

An encoder without ``tiling`` reads what ``tile`` states.  If ``tile`` states neither side nor scale, it reads its
published patches, which are in a folder of their own unless they are those of ``tile``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ccl.config import sections
from ccl.config.check import mistakes
from ccl.config.keys import stated
from ccl.wsi.encoders import ENCODERS
from ccl.wsi.encoders.published import departure

DEFAULT = "tile"
"""The tiling of the section ``tile``; also its folder in the results."""

TAKEN = (DEFAULT, "manifests")
"""Names that a tiling cannot have: a word for the default, and a folder of the stage."""


@dataclass(frozen=True)
class Tiling:
    """A grid of patches over the slides of a cohort, made once for all encoders that read it."""

    name: str
    """``tile``, a name of ``tilings``, or the published patches of an encoder, such as ``20x_512px``."""
    values: Mapping[str, Any]
    """The keys of :class:`ccl.config.sections.TileSettings`, as the user wrote them."""
    artefact_weights: str | None
    """The local file of the segmentation that takes patches, or None if there is none."""

    @property
    def folder(self) -> str:
        """Its folder in that of a cohort: ``tile``, or a folder in it."""
        return DEFAULT if self.name == DEFAULT else f"{DEFAULT}/{self.name}"

    @property
    def section(self) -> str:
        """Where the config states it."""
        return DEFAULT if self.name == DEFAULT else f"tilings: {self.name}"

    @property
    def settings(self) -> dict[str, Any]:
        """The values that a bundle records."""
        return stated(sections.TileSettings, self.values)

    def departs(self, encoder: str) -> str:
        """Say in words that these are not the published patches of an encoder; else an empty text."""
        scales = (self.values["mpp"], *self.values["also_mpp"])
        return departure(encoder, self.values["patch_size"], *scales)


@dataclass(frozen=True)
class Tilings:
    """All tilings that a config's encoders read."""

    config: sections.Config
    values: Mapping[str, Any]
    """The config as plain values with all defaults."""

    @cached_property
    def of(self) -> dict[str, Tiling]:
        """The tiling of each entry of ``embed: encoders``."""
        return {name: self._tiling(name) for name in self.config.embed.encoders}

    @cached_property
    def by_folder(self) -> dict[str, Tiling]:
        """The tilings that are read, each once, that of ``tile`` first; it is the only one if there is no encoder."""
        every = sorted(self.of.values(), key=lambda tiling: tiling.name != DEFAULT)
        every = every or [self._make(DEFAULT, self.values[DEFAULT])]
        return {tiling.folder: tiling for tiling in every}

    def _tiling(self, entry: str) -> Tiling:
        """Return the tiling of an entry of ``embed: encoders``."""
        tile, named = self.config.tile, self.config.embed.encoders[entry].tiling
        if named not in (None, DEFAULT):
            return self._make(named, self.values["tilings"][named])
        encoder = ENCODERS.get(self.config.encoder(entry))
        published = encoder.published if encoder else None
        is_free = named is None and tile.patch_size is None and tile.mpp is None
        if not is_free or published in (None, (sections.PATCH_SIZE, sections.MPP)):
            return self._make(DEFAULT, self.values[DEFAULT])
        patch_size, mpp = published
        own = f"{10 / mpp:g}x_{patch_size}px"
        if own in self.config.tilings:
            return self._make(own, self.values["tilings"][own])
        return self._make(own, {**self.values[DEFAULT], "patch_size": patch_size, "mpp": mpp})

    def _make(self, name: str, values: Mapping[str, Any]) -> Tiling:
        own = {"patch_size": sections.PATCH_SIZE, "mpp": sections.MPP, **values}
        weights = own.get("artefact_weights")
        listed = {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}
        return Tiling(name, listed, weights and self.config.path(weights))

    @property
    def departures(self) -> Iterator[str]:
        """A sentence for each encoder that reads other patches than its published ones."""
        for entry, tiling in self.of.items():
            if words := tiling.departs(self.config.encoder(entry)):
                yield f"encoder {entry} reads {words}, as `{tiling.section}` says"


def check_tilings(config: sections.Config, files: Sequence[str | Path] = ()) -> None:
    """Raise ConfigError for a tiling that an encoder names and the config does not have, or of a name that is taken."""
    known = [DEFAULT, *config.tilings]
    found = [f"tilings: {name}: not a usable name; rename it" for name in config.tilings if name in TAKEN]
    found += [
        f"embed: encoders: {name}: tiling: there is no {entry.tiling}; known are {', '.join(known)}"
        for name, entry in config.embed.encoders.items()
        if entry.tiling not in (None, *known)
    ]
    if found:
        raise mistakes(found, files)
