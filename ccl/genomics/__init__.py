"""Stage ``genomics``: omics tables grouped by the gene families of a GMT file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ccl.config.settings import setting

VERSION = 2
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class GenomicsSettings:
    """Which families are used, and what an empty value means."""

    patient_column: str = setting("column that names the patient")
    families: tuple[str, ...] = setting("family of the GMT file to use, in this order; none takes all")
    missing: Literal["error", "mean"] = setting("refuse an empty value, or let training fill the training mean")
