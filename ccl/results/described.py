"""The entries about a model that the files of all stages after training share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccl.io.errors import InputError
from ccl.pages.style import caveats

NAMED = ("cohort", "encoder", "model")
"""Entries that become names of files."""

USABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,199}")
"""A name that a config or a table of ablations can give; the latter have an @, as ``ccl@baseline``."""


def check_described(path: Path, facts: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` if a name in a file is not one that a config can have, such as a path."""
    for name in NAMED:
        if not USABLE.fullmatch(str(facts[name])):
            raise InputError(
                f"not a usable name ({name})",
                where=str(path),
                found=repr(facts[name]),
                expected="letters, digits, dots, dashes and underscores, as it becomes the name of files",
                todo="make the file again; if it is from someone else, do not trust it",
            )


@dataclass(frozen=True)
class Described:
    """A model on a cohort, as ``evaluation.json`` or the file of a later stage describes it."""

    facts: Mapping[str, Any]
    """The file's entries."""

    @property
    def cohort(self) -> str:
        """Name of the cohort."""
        return str(self.facts["cohort"])

    @property
    def encoder(self) -> str:
        """Name of the encoder; ``none`` for a method that reads no slides."""
        return str(self.facts["encoder"])

    @property
    def model(self) -> str:
        """Name of the model in the config."""
        return str(self.facts["model"])

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.facts["method"])

    @property
    def key(self) -> tuple[str, str, str]:
        """Cohort, encoder and model."""
        return self.cohort, self.encoder, self.model

    @property
    def label(self) -> str:
        """Name of the model, followed by its method if that has another name."""
        return self.model if self.model == self.method else f"{self.model} ({self.method})"

    @property
    def title(self) -> str:
        """Label and encoder."""
        return self.label if self.encoder == "none" else f"{self.label} with {self.encoder}"

    @property
    def full_title(self) -> str:
        """Label, encoder and cohort."""
        return f"{self.title} on {self.cohort}"

    @property
    def caveats(self) -> list[str]:
        """Warnings shown beside every number and figure."""
        return caveats(self.facts)
