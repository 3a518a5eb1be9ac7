"""Other symbols of genes, from a table of old symbols and new ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ccl.io.files import read_rows

Aliases = Mapping[str, tuple[str, ...]]
"""The other symbols of a gene, by any of its symbols."""


def read_aliases(path: Path) -> Aliases:
    """Read a table with the columns ``old`` and ``new``; both are symbols of the same gene.

    Raises
    ------
    InputError
        The file is missing, is no table, or lacks a column.
    """
    header, rows = read_rows(path, required=("old", "new"))
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        cells = row.named(header)
        if "old" in cells and "new" in cells:
            found[cells["old"]].append(cells["new"])
            found[cells["new"]].append(cells["old"])
    return {symbol: tuple(dict.fromkeys(others)) for symbol, others in found.items()}
