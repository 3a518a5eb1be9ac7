"""Other symbols of genes, from a table of old symbols and new ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccl.io.files import check_header, read_rows

Aliases = Mapping[str, tuple[str, ...]]
"""The other symbols of a gene, by any of its symbols."""


def read_aliases(path: Path) -> Aliases:
    """Read a table of symbols of the same gene: the columns ``old`` and ``new``, or HGNC's complete set.

    Of HGNC's set (``symbol``, and ``prev_symbol`` separated by ``|``), a previous symbol counts if it was that of one
    gene only, and is not the symbol of another gene today.

    Raises
    ------
    InputError
        The file is missing, is no table, or lacks a column.
    """
    header, rows = read_rows(path)
    cells = [row.named(header) for row in rows]
    if {"symbol", "prev_symbol"} <= set(header):
        pairs = _of_hgnc(cells)
    else:
        check_header(path, header, ("old", "new"))
        pairs = [(row["old"], row["new"]) for row in cells if "old" in row and "new" in row]
    found: dict[str, list[str]] = defaultdict(list)
    for old, new in pairs:
        found[old].append(new)
        found[new].append(old)
    return {symbol: tuple(dict.fromkeys(others)) for symbol, others in found.items()}


def _of_hgnc(rows: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    today = {row["symbol"] for row in rows if "symbol" in row}
    named = [row for row in rows if "symbol" in row]
    pairs = [(old.strip(), row["symbol"]) for row in named for old in row.get("prev_symbol", "").split("|")]
    times = Counter(old for old, _ in pairs)
    return [(old, new) for old, new in pairs if old and times[old] == 1 and old not in today]
