"""The layouts of downloads, each with the module that finds and reads its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ccl.config.cohort_sections import Source
from ccl.source import cbioportal, gdc, xena
from ccl.source.download import Download

LAYOUTS: Mapping[str, ModuleType] = {"cbioportal": cbioportal, "gdc": gdc, "xena": xena}
"""Modules with ``find``, for planning, and ``read_study``."""


def find_download(source: Source, folder: Path) -> Download:
    """Return the files of a download; this reads small tables only, so that it can be called while planning.

    Raises
    ------
    InputError, ConfigError
        As ``find`` of the layout's module says.
    """
    found: Download = LAYOUTS[source.layout].find(folder, source)
    return found
