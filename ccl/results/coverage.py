"""How many genes of each family a cohort's omics tables have, as the stage ``genomics`` wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccl.config.cohort_sections import OMICS_SUFFIXES
from ccl.io.files import read_json, read_rows
from ccl.io.formats import COVERAGE

TODO = "run the stage genomics of the cohort again"


@dataclass(frozen=True)
class Coverage:
    """The genes of a cohort."""

    families: Sequence[Mapping[str, str]]
    """The rows of ``coverage.csv``."""
    tables: Sequence[Mapping[str, Any]]
    """``file``, ``kind``, ``columns`` and ``used`` of each kind of omics in each table."""
    warnings: Sequence[str]

    @property
    def kinds(self) -> list[str]:
        """The kinds of omics that the tables have."""
        return [kind for kind in OMICS_SUFFIXES if any(row["kind"] == kind for row in self.tables)]

    @property
    def lowest(self) -> tuple[int, int]:
        """Genes found, and all genes, of the family in use with the lowest share."""
        used = [row for row in self.families if row["status"] == "used"]
        counts = [(int(row["found"]), int(row["genes"])) for row in used]
        return min(counts, key=lambda pair: pair[0] / pair[1])


def read_coverage(folder: Path) -> Coverage | None:
    """Read the coverage in a cohort's folder ``genomics``; None if there is none, as in results of earlier versions.

    Raises
    ------
    InputError
        A file is damaged.
    """
    table = folder / f"{COVERAGE}.csv"
    if not table.is_file():
        return None
    header, rows = read_rows(table, required=("family", "genes", "found", "by_alias", "columns", "status"))
    facts = read_json(table.with_suffix(".json"), required=("tables", "warnings"), todo=TODO)
    return Coverage([row.named(header) for row in rows], facts["tables"], facts["warnings"])
