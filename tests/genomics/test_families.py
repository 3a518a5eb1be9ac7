"""Files of gene families: GMT, tables of signatures, several files, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccl.genomics.gmt import choose, read_families, read_gmt
from ccl.io.errors import ConfigError, InputError

GMT = "ONE\tfirst\tTP53\tKRAS\nTWO\tsecond\tKRAS\tMYC\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("content", [GMT, GMT.replace("\n", "\r\n"), b"\xef\xbb\xbf" + GMT.encode(), GMT + "\n\n"])
def test_a_gmt_file_is_read_as_editors_save_it(tmp_path: Path, content: str | bytes) -> None:
    families = read_gmt(write(tmp_path / "a.gmt", content))
    assert families == {"ONE": ("TP53", "KRAS"), "TWO": ("KRAS", "MYC")}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_table_of_signatures_has_a_column_per_family(tmp_path: Path, mark: bytes) -> None:
    table = write(tmp_path / "signatures.csv", mark + b"Tumor Suppressors,ONE\r\nAPC,TP53\r\nATM,KRAS\r\n,APC\r\n")
    assert read_gmt(table) == {"Tumor Suppressors": ("APC", "ATM"), "ONE": ("TP53", "KRAS", "APC")}


def test_mcats_signatures_are_the_families_of_the_gmt_file(real_data: Path) -> None:
    wide = read_gmt(real_data / "tcga_omics_mcat" / "signatures.csv")
    lines = read_gmt(real_data / "gene_families.gmt")
    assert [set(genes) for genes in wide.values()] == [set(genes) for genes in lines.values()]


def test_several_files_are_joined_in_order(tmp_path: Path) -> None:
    first = write(tmp_path / "hallmarks.gmt", GMT)
    second = write(tmp_path / "reactome.gmt", "THREE\t\tEGFR\nONE\tagain\tKRAS\tTP53\n")
    assert list(read_families([first, second])) == ["ONE", "TWO", "THREE"]


def test_the_same_name_with_other_genes_names_both_files(tmp_path: Path) -> None:
    first = write(tmp_path / "hallmarks.gmt", GMT)
    second = write(tmp_path / "reactome.gmt", "TWO\tother\tKRAS\tEGFR\n")
    with pytest.raises(InputError) as error:
        read_families([first, second])
    assert str(first) in error.value.where
    assert str(second) in error.value.where
    assert "TWO" in error.value.where
    assert error.value.found == "2 and 2 genes, 1 in both"


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        (GMT.replace("second", "Ösophagus").encode("latin-1"), 2, "latin-1: TWO\tÖsophagus"),
        (GMT.encode("utf-16"), 1, "UTF-16"),
        (GMT.encode("utf-16-le"), 1, "UTF-16"),
        (GMT.replace("MYC", "M\0C").encode(), 2, "no text"),
    ],
)
@pytest.mark.parametrize("name", ["a.gmt", "a.csv"])
def test_another_encoding_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes, line: int, found: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match="not UTF-8") as error:
        read_gmt(path)
    assert error.value.where == f"{path}, line {line}"
    assert found in error.value.found


@pytest.mark.parametrize(
    ("name", "content", "place", "problem"),
    [
        ("a.gmt", "NAME only\n", "line 1", "not a line of a GMT file"),
        ("a.gmt", GMT + "ONE\td\tMYC\n", "line 3", "named twice"),
        ("a.gmt", "A\tdescription\n", "line 1", "not a line of a GMT file"),
        ("a.gmt", GMT + "a/b\td\tTP53\n", "line 3", "cannot be used"),
        ("a.gmt", "..\td\tTP53\n", "line 1", "cannot be used"),
        ("a.gmt", ".\td\tTP53\n", "line 1", "cannot be used"),
        ("a.gmt", "\td\tTP53\n", "line 1", "not a line of a GMT file"),
        ("a.gmt", "\n", "a.gmt", "no gene family"),
        ("a.csv", "", "a.csv", "no gene family"),
        ("a.csv", "ONE,.\nTP53,KRAS\n", "column 2", "cannot be used"),
        ("a.csv", "ONE,\nTP53,KRAS\n", "column 2", "not a column of a table of signatures"),
        ("a.csv", "ONE,TWO\nTP53,\n", "column 2", "not a column of a table of signatures"),
        ("a.csv", "ONE,ONE\nTP53,KRAS\n", "column 2", "named twice"),
        ("a.csv", "ONE,TWO\nTP53,KRAS\nMYC,EGFR,APC\n", "line 3", "more cells"),
        ("a.csv", "patient_id,months\nP1,12.5\n", "line 2", "a number in the place of a gene"),
    ],
)
def test_what_is_no_family_is_named_with_its_place(
    tmp_path: Path, name: str, content: str, place: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as error:
        read_gmt(write(tmp_path / name, content))
    assert error.value.where.endswith(place)


def test_a_name_of_no_family_shows_the_nearest() -> None:
    families = {f"REACTOME_{number}": ("TP53",) for number in range(300)} | {"HALLMARK_APOPTOSIS": ("TP53",)}
    with pytest.raises(ConfigError) as error:
        choose(families, ["HALLMARK_APOPTOSE"])
    assert "such as HALLMARK_APOPTOSIS" in error.value.expected
    assert len(error.value.expected) < 200
