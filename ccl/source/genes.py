"""Gene names: Ensembl ids and old symbols to symbols, and each gene once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
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


def read_symbols(path: Path) -> dict[str, str]:
    """Read the symbols of Ensembl ids, without their versions.

    The table is HGNC's complete set (``ensembl_gene_id``, ``symbol``), or a probeMap of Xena (``id``, ``gene``).

    Raises
    ------
    InputError
        It is neither.
    """
    header, rows = read_records(path, comment="")
    for id_, symbol in (("ensembl_gene_id", "symbol"), ("id", "gene"), ("#id", "gene")):
        if {id_, symbol} <= set(header.names):
            pairs = ((ENSEMBL.fullmatch(row.get(id_, "")), row.get(symbol)) for row in rows)
            return {match[1]: name for match, name in pairs if match and name}
    raise InputError(
        "not a table of gene names",
        where=header.where,
        found=", ".join(header.names[:6]),
        expected="ensembl_gene_id and symbol (HGNC's complete set), or id and gene (a probeMap of Xena)",
        todo="name another file as `from: genes`",
    )


def resolve_genes(kind: str, matrix: Matrix, symbols: Mapping[str, str], *, account: Account) -> Matrix:
    """Return a matrix with each gene once, by its symbol, sorted.

    Ensembl ids become symbols; copies on chromosome Y, names that Excel turned into dates, and rows without a name or
    a value are left out.  Of several rows of a gene, the one with the highest mean counts for expression, else the
    first.

    Parameters
    ----------
    symbols : mapping
        Symbols of Ensembl ids; empty if there is no table of them.

    Raises
    ------
    InputError
        The genes are Ensembl ids and there is no table, or no gene is left.
    """
    matrix = _without_ensembl(kind, matrix, symbols, account)
    matrix = _with_names(kind, matrix, account)
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


def _without_ensembl(kind: str, matrix: Matrix, symbols: Mapping[str, str], account: Account) -> Matrix:
    ids = [ENSEMBL.fullmatch(gene) for gene in matrix.genes]
    if not any(ids):
        return matrix
    if not symbols and 2 * sum(map(bool, ids)) > len(ids):
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
