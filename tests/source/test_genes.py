"""Names of genes: Ensembl ids, and rows without a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.genes import read_symbols, resolve_genes
from ccl.source.matrix import Matrix

HGNC = (
    "hgnc_id\tsymbol\tprev_symbol\tensembl_gene_id\n"
    "HGNC:1\tRUBCN\tKIAA0226\tENSG00000000001\n"
    "HGNC:2\tMARCHF1\tMARCH1\tENSG00000000002\n"
    "HGNC:3\tONE\tSHARED|KIAA1\tENSG00000000003\n"
    "HGNC:4\tTWO\tSHARED\tENSG00000000004\n"
)


def resolved(tmp_path: Path, genes: list[str], *, text: str = HGNC) -> tuple[dict[str, float], Any]:
    path = tmp_path / "genes.tsv"
    path.write_text(text)
    values = np.arange(len(genes), dtype=np.float32)[:, None]
    account = Account()
    matrix = Matrix(tuple(genes), ("P1",), values, "matrix.tsv")
    found = resolve_genes("rna", matrix, read_symbols(path), account=account)
    return dict(zip(found.genes, found.values[:, 0].tolist(), strict=True)), account


def test_versioned_ids_become_symbols_and_copies_on_y_are_left_out(tmp_path: Path) -> None:
    genes = ["ENSG00000000001.12", "ENSG00000000002", "ENSG00000000001.12_PAR_Y", "ENSG00000000099.1"]
    found, account = resolved(tmp_path, genes)
    assert found == {"RUBCN": 0, "MARCHF1": 1}
    assert [(entry["reason"], entry["examples"]) for entry in account.dropped] == [
        ("copies of genes on chromosome Y (_PAR_Y)", ["ENSG00000000001.12_PAR_Y"]),
        ("Ensembl ids without a known symbol", ["ENSG00000000099.1"]),
    ]


def test_rows_without_a_name_or_a_value(tmp_path: Path) -> None:
    genes = ("TP53", "", "?", "MYC")
    values = np.array([[1], [2], [3], [np.nan]], dtype=np.float32)
    account = Account()
    found = resolve_genes("rna", Matrix(genes, ("P1",), values, "m.tsv", 2), {}, account=account)
    assert found.genes == ("TP53",)
    assert [(entry["reason"], entry["examples"]) for entry in account.dropped] == [
        ("rows without the name of a gene", ["m.tsv, line 3", "m.tsv, line 4"]),
        ("genes without any value", ["MYC"]),
    ]


def test_another_table_is_no_table_of_genes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a table of gene names"):
        resolved(tmp_path, ["TP53"], text="name\tother\na\tb\n")
