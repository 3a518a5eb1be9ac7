"""Gene names: Ensembl ids and old symbols to symbols, and each gene once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.matrix import Matrix
from ccl.source.text import read_records

ENSEMBL = re.compile(r"(ENSG\d+)(\.\d+)?(_PAR_Y)?")
"""An Ensembl gene id, with its version, and GENCODE's mark of a gene's copy on chromosome Y."""

MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec"
EXCEL_DATE = re.compile(
    rf"\d{{1,2}}-({MONTH})|({MONTH})-\d{{1,4}}|\d{{4}}-\d\d-\d\d.*|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}", re.I
)
"""What Excel makes of symbols such as MARCH1, SEPT2 and DEC1 (Ziemann et al., Genome Biology 2016)."""

NO_NAME = ("", "?", "Unknown", "NA")


@dataclass(frozen=True)
class GeneTable:
    """A table of gene names."""

    of_ensembl: Mapping[str, str]
    """Ensembl id, without its version, to symbol."""
    current: Mapping[str, str]
    """Previous symbol to the approved one, where it belongs to one gene only."""


def read_gene_table(path: Path) -> GeneTable:
    """Read a table of gene names.

    It is HGNC's complete set (``symbol``, ``prev_symbol``, ``ensembl_gene_id``), or a probeMap of Xena (``id`` and
    ``gene``).

    Raises
    ------
    InputError
        It is neither.
    """
    header, rows = read_records(path, comment="")
    names = {name.lstrip("#"): name for name in header.names}
    if {"id", "gene"} <= set(names):
        pairs = ((row.get(names["id"], ""), row.get(names["gene"], "")) for row in rows)
        found = {match[1]: gene for id_, gene in pairs if gene and (match := ENSEMBL.fullmatch(id_))}
        return GeneTable(found, {})
    if not {"symbol", "ensembl_gene_id", "prev_symbol"} <= set(names):
        raise InputError(
            "not a table of gene names",
            where=header.where,
            found=", ".join(header.names[:6]),
            expected="symbol, ensembl_gene_id, prev_symbol (HGNC's complete set), or id, gene (a probeMap of Xena)",
            todo="name another file as `from: genes`",
        )
    ensembl = {row["ensembl_gene_id"]: row["symbol"] for row in rows if {"ensembl_gene_id", "symbol"} <= set(row)}
    approved: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for old in row.get("prev_symbol", "").strip('"').split("|"):
            approved[old.strip()].add(row.get("symbol", ""))
    symbols = {row.get("symbol") for row in rows}
    return GeneTable(
        ensembl, {old: min(new) for old, new in approved.items() if old and len(new) == 1 and old not in symbols}
    )


def resolve_genes(
    kind: str, matrix: Matrix, table: GeneTable | None, wanted: Collection[str], *, account: Account
) -> Matrix:
    """Return a matrix with each gene once, by its symbol, sorted.

    Ensembl ids become symbols; copies on chromosome Y, names that Excel turned into dates, and rows without a name or
    a value are left out.  Of several rows of a gene, the one with the highest mean counts for expression, else the
    first.

    Parameters
    ----------
    table : GeneTable, optional
        Names of genes.
    wanted : collection of str
        Genes of the gene families.  One that the matrix knows only by its previous or its approved symbol is renamed.

    Raises
    ------
    InputError
        The genes are Ensembl ids and there is no table, or no gene is left.
    """
    matrix = _without_ensembl(kind, matrix, table, account)
    matrix = _with_names(kind, matrix, account)
    if table is not None:
        matrix = _renamed(kind, matrix, table, wanted, account)
    empty = np.isnan(matrix.values).all(axis=1)
    account.drop(kind, "genes without any value", [matrix.genes[row] for row in np.flatnonzero(empty)])
    matrix = matrix.rows(np.flatnonzero(~empty))
    if not matrix.genes:
        raise InputError(
            "no gene is left",
            where=matrix.origin,
            found="no row with a symbol and a value",
            expected="gene symbols, or Ensembl ids and a table of them",
            todo="check the column of genes",
        )
    return _once(kind, matrix, account)


def _without_ensembl(kind: str, matrix: Matrix, table: GeneTable | None, account: Account) -> Matrix:
    ids = [ENSEMBL.fullmatch(gene) for gene in matrix.genes]
    if not any(ids):
        return matrix
    if (table is None or not table.of_ensembl) and 2 * sum(map(bool, ids)) > len(ids):
        row = next(row for row, match in enumerate(ids) if match)
        raise InputError(
            "genes are named by Ensembl ids, and there is no table of their symbols",
            where=matrix.place(row),
            found=matrix.genes[row],
            expected="gene symbols, or a table from Ensembl ids to symbols",
            todo="name HGNC's complete set, or the hub's probeMap, in the config as `from: genes`",
        )
    copies = [row for row, match in enumerate(ids) if match and match[3]]
    account.drop(kind, "copies of genes on chromosome Y (_PAR_Y)", [matrix.genes[row] for row in copies])
    symbols = table.of_ensembl if table else {}
    names = [symbols.get(match[1], "") if match else gene for gene, match in zip(matrix.genes, ids, strict=True)]
    unknown = [row for row, name in enumerate(names) if not name]
    account.drop(kind, "Ensembl ids without a known symbol", [matrix.genes[row] for row in unknown])
    out = {*copies, *unknown}
    keep = [row for row in range(len(names)) if row not in out]
    return matrix.rows(keep, [names[row] for row in keep])


def _with_names(kind: str, matrix: Matrix, account: Account) -> Matrix:
    dates = [row for row, gene in enumerate(matrix.genes) if EXCEL_DATE.fullmatch(gene)]
    if dates:
        row = dates[0]
        account.drop(kind, "genes whose name Excel turned into a date", [matrix.genes[row] for row in dates])
        account.warn(
            f"{matrix.place(row)}: found {matrix.genes[row]} as the name of a gene, and {len(dates) - 1} more; expected"
            " symbols such as MARCHF1 or SEPTIN2. Excel turned them into dates. The rows are left out; to keep them,"
            " write the symbols into the file."
        )
    nameless = [row for row, gene in enumerate(matrix.genes) if gene.strip() in NO_NAME]
    account.drop(kind, "rows without the name of a gene", [matrix.place(row) for row in nameless])
    out = {*dates, *nameless}
    return matrix.rows([row for row in range(len(matrix.genes)) if row not in out])


def _renamed(kind: str, matrix: Matrix, table: GeneTable, wanted: Collection[str], account: Account) -> Matrix:
    """Rename genes that a family names by their previous or their approved symbol."""
    known = set(matrix.genes)
    groups: dict[str, set[str]] = defaultdict(set)
    for old, new in table.current.items():
        groups[new] |= {old, new}
    renamed: dict[str, str] = {}
    for gene in sorted(set(wanted) - known):
        same = groups.get(table.current.get(gene, gene), set()) & known
        if len(same) == 1 and not same & set(wanted):
            renamed[same.pop()] = gene
    account.drop(kind, "genes renamed to the symbol of a family", [f"{old} to {new}" for old, new in renamed.items()])
    return matrix.rows(range(len(matrix.genes)), [renamed.get(gene, gene) for gene in matrix.genes])


def _once(kind: str, matrix: Matrix, account: Account) -> Matrix:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, gene in enumerate(matrix.genes):
        rows[gene].append(row)
    several = [gene for gene, places in rows.items() if len(places) > 1]
    if kind == "rna":
        means = {row: np.nanmean(matrix.values[row]) for gene in several for row in rows[gene]}
        for gene in several:
            rows[gene].sort(key=lambda row: -means[row])
        rule = "the row with the highest mean is kept"
    else:
        rule = "the first row is kept"
    account.drop(kind, f"genes with several rows, of which {rule}", several)
    genes = sorted(rows)
    return matrix.rows([rows[gene][0] for gene in genes], genes)
