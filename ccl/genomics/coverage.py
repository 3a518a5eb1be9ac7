"""How many genes of each family are in the omics tables, and how many columns of each table are in a family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ccl.config.cohort_sections import OMICS_SUFFIXES
from ccl.config.sections import GenomicsSettings
from ccl.genomics.aliases import Aliases
from ccl.genomics.gmt import Families
from ccl.genomics.names import dates, similar, some
from ccl.io.errors import InputError
from ccl.pages.numbers import plural

WIDE = "wide"
"""The key of a table that holds several kinds of omics."""


@dataclass(frozen=True)
class Measured:
    """A gene family in the omics tables."""

    name: str
    genes: tuple[str, ...]
    columns: Mapping[str, Mapping[str, str]]
    """For each kind of omics: the columns by the genes that have one."""
    by_alias: tuple[str, ...]
    """Genes that are in a table under another symbol only."""

    @property
    def found(self) -> tuple[str, ...]:
        """The genes that are in any table."""
        return tuple(gene for gene in self.genes if any(gene in columns for columns in self.columns.values()))

    @property
    def missing(self) -> tuple[str, ...]:
        """The genes that are in no table."""
        found = set(self.found)
        return tuple(gene for gene in self.genes if gene not in found)

    @property
    def share(self) -> float:
        """Share of the genes that are in any table, 0 to 1."""
        return len(self.found) / len(self.genes)

    @property
    def sources(self) -> dict[str, str]:
        """The column of the tables for each column of the family, sorted by name.

        A column of the family has the gene's symbol in the family, so that it is the same whichever symbol a cohort's
        table has.  A column of the tables is used once, by the gene of its own symbol if that is in the family.
        """
        named = [
            (gene + OMICS_SUFFIXES[kind], column)
            for kind, columns in self.columns.items()
            for gene, column in columns.items()
        ]
        own_first = sorted(named, key=lambda pair: pair[0] != pair[1])
        once = {column: name for name, column in reversed(own_first)}
        return dict(sorted((name, column) for column, name in once.items()))

    @property
    def row(self) -> dict[str, str | int]:
        """The family's row in ``coverage.csv``."""
        kinds = {kind: len(columns) for kind, columns in self.columns.items()}
        found = {"genes": len(self.genes), "found": len(self.found), **kinds, "by_alias": len(self.by_alias)}
        return {"family": self.name, **found, "columns": len(self.sources)}

    def __str__(self) -> str:
        """Return the coverage in words."""
        kinds = ", ".join(f"{kind} {len(columns)}" for kind, columns in self.columns.items() if columns)
        renamed = f", {len(self.by_alias)} by another symbol" if self.by_alias else ""
        found = f"{len(self.found)} of {plural(len(self.genes), 'gene')} ({self.share:.1%})"
        return f"{self.name}: {found}{f': {kinds}' if kinds else ''}{renamed}"


def measure(families: Families, columns: Iterable[str], aliases: Aliases) -> list[Measured]:
    """Find the columns of each family's genes; other symbols count only in a kind where the gene's own is missing.

    Parameters
    ----------
    columns : iterable of str
        Columns of the omics, such as ``TP53_rnaseq``.
    """
    known = set(columns)
    kinds = {kind: suffix for kind, suffix in OMICS_SUFFIXES.items() if any(name.endswith(suffix) for name in known)}

    def measured(name: str, genes: tuple[str, ...]) -> Measured:
        found: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
        renamed: dict[str, bool] = {}
        for gene in genes:
            for kind, suffix in kinds.items():
                symbol = next((each for each in (gene, *aliases.get(gene, ())) if each + suffix in known), None)
                if symbol is not None:
                    found[kind][gene] = symbol + suffix
                    renamed[gene] = renamed.get(gene, True) and symbol != gene
        return Measured(name, genes, found, tuple(gene for gene, only in renamed.items() if only))

    return [measured(name, genes) for name, genes in families.items()]


@dataclass(frozen=True)
class Used:
    """The columns of one kind of omics in one table."""

    file: Path
    kind: str
    used: tuple[str, ...]
    """Genes of the table that are in a family."""
    unused: tuple[str, ...]

    @property
    def row(self) -> dict[str, str | int]:
        """The entry in ``summary.json``."""
        total = len(self.used) + len(self.unused)
        return {"file": self.file.name, "kind": self.kind, "columns": total, "used": len(self.used)}

    @property
    def what(self) -> str:
        """The unused columns: names, what they look like, and dates among them."""
        return f"columns in no family: {some(self.unused)}{_looks(self.unused)}"

    def __str__(self) -> str:
        """Return the share of columns in words."""
        total = len(self.used) + len(self.unused)
        return f"{self.file.name} ({self.kind}): {len(self.used)} of {plural(total, 'column')} in a family"


def use(tables: Mapping[str, Path], columns: Iterable[str], measured: Sequence[Measured]) -> list[Used]:
    """Find which columns of each table and kind are in any of the families.

    Parameters
    ----------
    tables : mapping
        As :func:`ccl.genomics.tables.read_omics` takes them.
    """
    used = {column for family in measured for column in family.sources.values()}
    every = list(columns)
    found = []
    for key, path in tables.items():
        for kind, suffix in OMICS_SUFFIXES.items():
            own = [name for name in every if name.endswith(suffix)] if key in (WIDE, kind) else []
            if own:
                split = [
                    tuple(c.removesuffix(suffix) for c in own if (c in used) == wanted) for wanted in (True, False)
                ]
                found.append(Used(path, kind, *split))
    return found


def check_tables(used: Sequence[Used], measured: Sequence[Measured]) -> None:
    """Refuse a table of which no column is in any family."""
    missing = [gene for family in measured for gene in family.missing]
    every = list(dict.fromkeys([*missing, *(gene for family in measured for gene in family.genes)]))
    for path in dict.fromkeys(one.file for one in used):
        own = [one for one in used if one.file == path]
        if any(one.used for one in own):
            continue
        raise InputError(
            "no column of an omics table is in any gene family",
            where=str(path),
            found="; ".join(one.what for one in own),
            expected=f"genes of the families: {some(every)}{_looks(every)}",
            todo="name the genes alike in the table and in the families, or take the table out of `omics`",
        )


def choose_covered(
    measured: Sequence[Measured], used: Sequence[Used], settings: GenomicsSettings
) -> tuple[list[Measured], list[Measured]]:
    """Return the families to use, and those to leave out because too few of their genes are in the tables.

    Raises
    ------
    InputError
        There are such families and ``low_coverage`` is ``error``, or no other family remains.
    """
    low = [family for family in measured if not family.found or family.share < settings.min_coverage]
    kept = [family for family in measured if family not in low]
    if low and (settings.low_coverage == "error" or not kept):
        unused = [name for one in used for name in one.unused]
        raise InputError(
            f"{len(low)} of {len(measured)} gene families have too few genes in the omics tables",
            where=f"families: {some(names_of(low))}",
            found=f"{low[0]}; missing are {some(low[0].missing)}{_looks(low[0].missing)}; columns in no family are"
            f" {some(unused)}{_looks(unused)}",
            expected=f"one gene and {settings.min_coverage:.1%} of the genes of each family (`genomics: min_coverage`)",
            todo="use the same gene symbols in both, name a table of other symbols as `genomics: aliases`, or set"
            " `genomics: low_coverage: exclude` to leave such families out",
        )
    return kept, low


def warnings(measured: Sequence[Measured], low: Sequence[Measured], used: Sequence[Used]) -> list[str]:
    """Return what a reader must know of the coverage, a sentence each."""
    found = []
    if low:
        found.append(
            f"{len(low)} of {len(measured)} gene families are left out, as too few of their genes are in the omics"
            f" tables: {some(names_of(low))}"
        )
    for one in used:
        if not one.used or similar(one.unused) or dates(one.unused):
            found.append(f"{one}; {one.what}")
    missing = list(dict.fromkeys(gene for family in measured for gene in family.missing))
    if dated := dates(missing):
        found.append(f"dates of Excel among the genes that are in no table: {some(dated)}")
    return found


def names_of(measured: Sequence[Measured]) -> list[str]:
    """Return the names of families."""
    return [family.name for family in measured]


def coverage_table(measured: Sequence[Measured], low: Sequence[Measured]) -> pd.DataFrame:
    """Return ``coverage.csv``: a row per family, and whether it is ``used`` or ``left out``."""
    return pd.DataFrame([{**one.row, "status": "left out" if one in low else "used"} for one in measured])


def _looks(names: Sequence[str]) -> str:
    """Return in parentheses what names look like, or nothing."""
    dated = dates(names)
    looks = [similar(names), f"dates of Excel: {some(dated)}" if dated else ""]
    return f" ({'; '.join(filter(None, looks))})" if any(looks) else ""
