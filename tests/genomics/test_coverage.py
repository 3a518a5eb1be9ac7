"""Coverage of gene families and of omics tables: what is counted, said and refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ccl.config.sections import GenomicsSettings
from ccl.genomics.aliases import read_aliases
from ccl.genomics.names import dates, similar
from ccl.genomics.stage import group_genomics
from ccl.io.errors import InputError
from ccl.io.formats import Genomics

GMT = "ONE\tfirst\tTP53\tKRAS\nTWO\tsecond\tKRAS\tMYC\tMARCHF1\tABSENT\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def table(genes: Sequence[str]) -> str:
    return ",".join(["patient_id", *genes]) + "\n" + ",".join(["P1", *("1" for _ in genes)]) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "families.gmt", GMT)
    write(tmp_path / "rna.csv", table(["TP53", "KRAS", "OTHER", "MARCH1"]))
    write(tmp_path / "cnv.csv", table(["MYC", "TP53"]))
    return tmp_path


def group(folder: Path, *, aliases: Path | None = None, **keys: object) -> Genomics:
    settings = GenomicsSettings(patient_column="patient_id", **keys)  # type: ignore[arg-type]
    tables = {kind: folder / f"{kind}.csv" for kind in ("rna", "cnv")}
    out = folder / "out" / "genomics.h5"
    group_genomics(out, settings=settings, tables=tables, gmt=[folder / "families.gmt"], aliases=aliases)
    return Genomics.read(out)


def coverage(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "out" / "coverage.csv").open() as file:
        return {row["family"]: row for row in csv.DictReader(file)}


def test_genes_are_counted_by_family_and_kind_and_columns_by_table(folder: Path) -> None:
    group(folder)
    one, two = coverage(folder).values()
    counts = ("genes", "found", "rna", "cnv", "by_alias", "columns")
    assert [int(one[name]) for name in counts] == [2, 2, 2, 1, 0, 3]
    assert [int(two[name]) for name in counts] == [4, 2, 1, 1, 0, 2]
    tables = json.loads((folder / "out" / "coverage.json").read_text())["tables"]
    assert tables == [
        {"file": "rna.csv", "kind": "rna", "columns": 4, "used": 2},
        {"file": "cnv.csv", "kind": "cnv", "columns": 2, "used": 2},
    ]


def test_another_symbol_is_used_where_the_gene_itself_is_missing(folder: Path) -> None:
    write(folder / "cnv.csv", table(["MYC", "TP53", "MARCHF1"]))
    aliases = write(folder / "aliases.csv", "old,new\nMARCH1,MARCHF1\nKRAS2,KRAS\n")
    _, two = group(folder, aliases=aliases).families
    assert two.columns == ("KRAS_rnaseq", "MARCHF1_cnv", "MARCHF1_rnaseq", "MYC_cnv")
    assert coverage(folder)["TWO"]["by_alias"] == "0"
    write(folder / "cnv.csv", table(["MYC", "TP53"]))
    genomics = group(folder, aliases=aliases)
    assert genomics.families[1].columns == ("KRAS_rnaseq", "MARCHF1_rnaseq", "MYC_cnv")
    assert coverage(folder)["TWO"]["by_alias"] == "1"
    assert genomics.inputs["aliases"][0]["file"] == "aliases.csv"


def test_a_column_is_used_once_if_a_family_has_both_symbols(folder: Path) -> None:
    write(folder / "families.gmt", "ONE\t\tMARCHF1\tMARCH1\tKRAS\tTP53\tMYC\n")
    (one,) = group(folder, aliases=write(folder / "aliases.csv", "old,new\nMARCH1,MARCHF1\n")).families
    assert one.columns == ("KRAS_rnaseq", "MARCH1_rnaseq", "MYC_cnv", "TP53_cnv", "TP53_rnaseq")


def test_an_alias_is_known_by_both_symbols(tmp_path: Path) -> None:
    aliases = read_aliases(write(tmp_path / "a.tsv", "new\told\nMARCHF1\tMARCH1\nSEPTIN2\t\n"))
    assert aliases == {"MARCH1": ("MARCHF1",), "MARCHF1": ("MARCH1",)}


def test_previous_symbols_of_hgnc_count_if_they_are_of_one_gene(tmp_path: Path) -> None:
    table = (
        "hgnc_id\tsymbol\tprev_symbol\n"
        'HGNC:1\tRUBCN\t"KIAA0226|OLD"\nHGNC:2\tONE\tSHARED\nHGNC:3\tTWO\tSHARED|ONE\nHGNC:4\tTP53\t\n'
    )
    aliases = read_aliases(write(tmp_path / "hgnc_complete_set.txt", table))
    assert aliases == {"KIAA0226": ("RUBCN",), "OLD": ("RUBCN",), "RUBCN": ("KIAA0226", "OLD")}


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        (table(["ENSG00000141510.11", "ENSG00000133703"]), "look like Ensembl ids"),
        ("patient_id, KRAS, MYC\nP1,1,1\n", "start or end with a space"),
        (table(["TP53|7157", "KRAS|3845"]), "SYMBOL|ENTREZ"),
        (table(["7157", "3845"]), "are numbers"),
        (table(["1-Mar", "UNKNOWN"]), "1-Mar (perhaps MARCHF1, earlier MARCH1, or MTARC1, earlier MARC1)"),
    ],
)
def test_a_table_in_no_family_is_refused_with_names_of_both_sides(folder: Path, text: str, looks: str) -> None:
    write(folder / "cnv.csv", text)
    for keys in ({}, {"min_coverage": 0.0, "low_coverage": "exclude"}):
        with pytest.raises(InputError, match="no column of an omics table is in any gene family") as error:
            group(folder, **keys)
        assert error.value.where == str(folder / "cnv.csv")
        assert looks in error.value.found
        assert "MYC, MARCHF1, ABSENT and 2 more" in error.value.expected
    assert not (folder / "out").exists()


def test_the_families_in_use_may_leave_a_table_out(folder: Path) -> None:
    write(folder / "cnv.csv", table(["MYC"]))
    assert group(folder, families=("ONE",)).families[0].columns == ("KRAS_rnaseq", "TP53_rnaseq")


def test_a_kind_of_a_wide_table_in_no_family_draws_a_warning(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wide = write(folder / "wide.csv", table(["TP53_rnaseq", "KRAS_rnaseq", "ENSG00000133703_cnv"]))
    settings = GenomicsSettings(patient_column="patient_id")
    out = folder / "out" / "genomics.h5"
    group_genomics(out, settings=settings, tables={"wide": wide}, gmt=[folder / "families.gmt"])
    (warning,) = json.loads((folder / "out" / "coverage.json").read_text())["warnings"][:1]
    assert warning.startswith("wide.csv (cnv): 0 of 1 column in a family")
    assert "Ensembl" in warning
    assert warning in capfd.readouterr().err


@pytest.mark.parametrize(("least", "low"), [(0.5, []), (0.51, ["TWO"]), (1.0, ["TWO"])])
def test_a_family_below_the_share_is_refused_or_left_out(folder: Path, least: float, low: list[str]) -> None:
    if low:
        with pytest.raises(InputError, match="1 of 2 gene families have too few genes") as error:
            group(folder, min_coverage=least)
        assert error.value.where == "families: TWO"
        assert "missing are MARCHF1, ABSENT" in error.value.found
        assert "columns in no family are OTHER, MARCH1" in error.value.found
        assert not (folder / "out").exists()
    kept = group(folder, min_coverage=least, low_coverage="exclude")
    assert [family.name for family in kept.families] == [name for name in ("ONE", "TWO") if name not in low]
    assert [name for name, row in coverage(folder).items() if row["status"] == "left out"] == low
    warnings = json.loads((folder / "out" / "coverage.json").read_text())["warnings"]
    assert [text.split(": ")[1] for text in warnings if "left out" in text] == low


def test_a_family_without_a_gene_is_refused_even_without_a_least_share(folder: Path) -> None:
    write(folder / "families.gmt", GMT + "THREE\t\tEGFR\n")
    with pytest.raises(InputError) as error:
        group(folder, min_coverage=0.0)
    assert error.value.where == "families: THREE"
    kept = group(folder, min_coverage=0.0, low_coverage="exclude")
    assert [family.name for family in kept.families] == ["ONE", "TWO"]


def test_leaving_out_all_families_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="1 of 1 gene families"):
        group(folder, families=("TWO",), min_coverage=1.0, low_coverage="exclude")


def test_dates_of_excel_are_named_where_they_match_nothing(folder: Path) -> None:
    group(folder)
    warnings = json.loads((folder / "out" / "coverage.json").read_text())["warnings"]
    assert any("MARCH1 (perhaps MARCHF1, earlier MARCH1)" in text for text in warnings)
    write(folder / "families.gmt", GMT.replace("ABSENT", "2-Sep\tMARCH1"))
    group(folder)
    warnings = json.loads((folder / "out" / "coverage.json").read_text())["warnings"]
    assert any("2-Sep (perhaps SEPTIN2, earlier SEPT2)" in text for text in warnings)
    assert not any("MARCH1 (" in text for text in warnings)


@pytest.mark.parametrize(
    ("name", "gene"),
    [
        ("1-Mar", "MARCHF1"), ("Mar-01", "MTARC1"), ("3-Mar", "MARCHF3"), ("MARCH11", "MARCHF11"),
        ("10-Sep", "SEPTIN10"), ("SEPT7", "SEPTIN7"), ("1-Dec", "DELEC1"),
        ("2024-09-02", "SEPTIN2"), ("1. Mrz", "MARCHF1"),
    ],
)  # fmt: skip
def test_a_date_says_which_gene_it_may_be(name: str, gene: str) -> None:
    (found,) = dates(["TP53", name])
    assert found.startswith(f"{name} (perhaps ")
    assert gene in found


def test_symbols_are_no_dates_and_look_like_nothing() -> None:
    symbols = ["TP53", "MARK1", "DECR1", "SEPSECS", "MARCKS", "OCT4", "HLA-A", "ENSA", "NKX2-1"]
    assert dates(symbols) == []
    assert similar(symbols) == ""
