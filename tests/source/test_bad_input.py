"""Bad downloads: one message each, with the place, what was found and what was expected; nothing is written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccl.io.errors import CclError, ConfigError, InputError
from ccl.source.matrix import read_matrix
from ccl.source.text import EMPTY, read_records
from tests.source.conftest import Read
from tests.source.layouts import Truth, cbioportal, gdc, xena

LOG = {"rna": {"transform": "log2(x + 1)"}, "cnv": {}, "snv": {}}
Edit = Callable[[str], str]


def commas(text: str) -> str:
    return text.replace("\t", ",")


def shifted(text: str) -> str:
    header, _, rest = text.partition("\n")
    return header.partition("\t")[2] + "\n" + rest


def cell(line: int, column: int, value: str) -> Edit:
    def change(text: str) -> str:
        lines = text.splitlines()
        cells = lines[line - 1].split("\t")
        cells[column - 1] = value
        return "\n".join([*lines[: line - 1], "\t".join(cells), *lines[line:]]) + "\n"

    return change


def short(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([*lines[:3], lines[3].rpartition("\t")[0], *lines[4:]]) + "\n"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (commas, ["another delimiter", "separated by tabs", "data_cna.txt, line 1 (header)"]),
        (shifted, ["header is shorter", "line 1 (header)", "24 names, but 25 cells in the first row", "col.names=NA"]),
        (cell(1, 1, "gene"), ["the header lacks a column", "gene, TCGA-A0-0000-01", "Hugo_Symbol"]),
        (cell(3, 4, "high"), ["not a finite number", "line 3, column 4 (TCGA-A0-0008-01)", "high", "if missing"]),
        (cell(3, 4, "inf"), ["not a finite number", "line 3, column 4"]),
        (cell(3, 4, "1,5"), ["decimal comma", "line 3, column 4", "1,5", "decimal point"]),
        (cell(1, 4, "TCGA-A0-0000-01"), ["column appears twice", "(header), column 4", "TCGA-A0-0000-01, also in"]),
        (short, ["a row does not fit the header", "line 4", "24 cells", "25 cells"]),
        (lambda text: text.splitlines()[0] + "\n", ["the matrix is empty"]),
        (lambda text: "", ["the file is empty"]),
        (lambda text: "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", ["of Git LFS", "git lfs pull"]),
    ],
)  # fmt: skip
def test_a_bad_matrix_is_one_clear_message(tmp_path: Path, read: Read, edit: Edit, expected: list[str]) -> None:
    path = cbioportal(tmp_path / "study", Truth()) / "data_cna.txt"
    path.write_text(edit(path.read_text()))
    with pytest.raises(InputError) as error:
        read("cbioportal", path.parent, **LOG)
    for part in expected:
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["meta_mrna.txt", "case_lists/cases_sequenced.txt"])
def test_a_list_that_is_not_utf8_is_named(tmp_path: Path, read: Read, name: str) -> None:
    path = cbioportal(tmp_path / "study", Truth()) / name
    path.write_bytes(path.read_bytes() + b"description: \xc4\n")
    with pytest.raises(InputError, match=rf"cannot be read(.|\n)*{path.name}(.|\n)*text file in UTF-8"):
        read("cbioportal", tmp_path / "study", **LOG)


def test_a_truncated_gzip_is_named(tmp_path: Path, read: Read) -> None:
    path = xena(tmp_path / "xena", Truth()) / "TCGA-TINY.star_tpm.tsv.gz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"truncated(.|\n)*star_tpm(.|\n)*download the file again"):
        read("xena", path.parent, "--genes", str(path.parent / "probemap.tsv"))
    folder = gdc(tmp_path / "gdc", Truth(n=4))
    path = next(folder.rglob("u2.*maf.gz"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"truncated(.|\n)*u2\."):
        read("gdc", folder)


def test_a_matrix_of_patients_without_a_name_for_genes(tmp_path: Path) -> None:
    path = tmp_path / "matrix.tsv"
    path.write_text("TCGA-A0-0000-01\tTCGA-A0-0001-01\nTP53\t1\n")
    with pytest.raises(InputError, match="no column of genes"):
        read_matrix(path, genes=())


def test_duplicate_genes_are_resolved_and_counted(tmp_path: Path, read: Read) -> None:
    folder = cbioportal(tmp_path / "study", Truth())
    for name, more in (("data_mrna.txt", "1000000"), ("data_cna.txt", "-2")):
        path = folder / name
        lines = path.read_text().splitlines()
        first = lines[1].split("\t")
        start = 2 if name == "data_mrna.txt" else 1
        path.write_text("\n".join([*lines, "\t".join([*first[:start], *[more] * 24])]) + "\n")
    found = read("cbioportal", folder, **LOG)
    assert found.omics["rna"]["TP53"].min() > 19
    assert (found.omics["cnv"]["TP53"].to_numpy() == Truth().cnv[0]).all()
    reasons = [(entry["table"], entry["reason"], entry["examples"]) for entry in found.summary["dropped"]]
    assert ("rna", "genes with several rows, of which the row with the highest mean is kept", ["TP53"]) in reasons
    assert ("cnv", "genes with several rows, of which the first row is kept", ["TP53"]) in reasons


@pytest.mark.parametrize("date", ["1-Mar", "Sep-02", "2021-03-01", "3/1/2021"])
def test_dates_of_excel_are_left_out_with_their_line(tmp_path: Path, read: Read, date: str) -> None:
    path = cbioportal(tmp_path / "study", Truth()) / "data_cna.txt"
    path.write_text(cell(4, 1, date)(path.read_text()))
    found = read("cbioportal", path.parent, **LOG)
    assert "MYC" not in found.omics["cnv"].columns
    assert date not in found.omics["cnv"].columns
    (warning,) = found.summary["warnings"]
    assert f"data_cna.txt, line 4: found {date}" in warning
    assert warning in found.log


def test_march1_is_a_symbol(tmp_path: Path, read: Read) -> None:
    path = cbioportal(tmp_path / "study", Truth()) / "data_cna.txt"
    path.write_text(cell(4, 1, "MARCH1")(path.read_text()))
    found = read("cbioportal", path.parent, **LOG)
    assert "MARCH1" in found.omics["cnv"].columns
    assert found.summary["warnings"] == []


def test_a_meta_file_that_names_a_missing_file(tmp_path: Path, read: Read) -> None:
    folder = cbioportal(tmp_path / "study", Truth())
    (folder / "data_cna.txt").rename(folder / "data_CNA.txt")
    with pytest.raises(InputError) as error:
        read("cbioportal", folder, **LOG)
    assert "meta_cna.txt, data_filename" in str(error.value)
    assert "found:    data_cna.txt" in str(error.value)


def test_a_gdc_download_without_a_sample_sheet(tmp_path: Path, read: Read) -> None:
    folder = gdc(tmp_path / "gdc", Truth(n=4))
    (folder / "gdc_sample_sheet.2024-01-01.tsv").rename(folder / "gdc_manifest.txt")
    with pytest.raises(InputError, match="the manifest has neither cases nor samples"):
        read("gdc", folder)
    for path in [*folder.rglob("*star*"), *folder.rglob("*copy*")]:
        path.unlink()
    mutated = Truth(n=4).snv.any(axis=0).sum()  # of the others, nothing says that they were sequenced
    assert len(read("gdc", folder).omics["snv"]) == mutated < 4


def test_metadata_of_gdc_that_do_not_say_what_tissue_a_sample_is(tmp_path: Path, read: Read) -> None:
    """Normal tissue must not be taken for tumours."""
    folder = gdc(tmp_path / "gdc", Truth(n=4))
    (folder / "gdc_sample_sheet.2024-01-01.tsv").unlink()
    path = folder / "metadata.cart.2024-01-01.json"
    file = {"file_id": "id0-u0.", "file_name": "u0.rna_seq.augmented_star_gene_counts.tsv"}
    path.write_text(json.dumps([file | {"associated_entities": [{"entity_submitter_id": "CPT0001"}]}]))
    with pytest.raises(InputError, match=r"do not say whose a file is(.|\n)*CPT0001"):
        read("gdc", folder)
    for content in ([file], {"a": 1}, [1]):
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match="not the metadata of a GDC cart"):
            read("gdc", folder)


def test_a_panel_that_no_file_describes(tmp_path: Path, read: Read) -> None:
    truth = Truth(n=4)
    folder = cbioportal(tmp_path / "study", truth)
    rows = [["SAMPLE_ID", "mutations"], [truth.samples()[2], "IMPACT341"]]
    (folder / "data_gene_panel_matrix.txt").write_text("".join("\t".join(row) + "\n" for row in rows))
    (folder / "meta_gene_panel_matrix.txt").write_text(
        "genetic_alteration_type: GENE_PANEL_MATRIX\ndata_filename: data_gene_panel_matrix.txt\n"
    )
    with pytest.raises(InputError, match=r"panel is not described(.|\n)*TCGA-A2-0002-01(.|\n)*IMPACT341"):
        read("cbioportal", folder, **LOG)


def test_a_file_of_the_sample_sheet_that_was_not_downloaded(tmp_path: Path, read: Read) -> None:
    folder = gdc(tmp_path / "gdc", Truth(n=4))
    path = next(folder.rglob("u2.*counts*"))
    path.rename(path.with_name(f"{path.name}.partial"))
    with pytest.raises(InputError, match=r"names a file that is not there(.|\n)*u2\.rna_seq"):
        read("gdc", folder)


def test_files_of_gdc_with_different_genes(tmp_path: Path, read: Read) -> None:
    folder = gdc(tmp_path / "gdc", Truth(n=4))
    path = next(folder.rglob("u2.*counts*"))
    path.write_text(path.read_text().rsplit("\n", 2)[0] + "\n")
    with pytest.raises(InputError, match="have different genes"):
        read("gdc", folder)


def test_ids_of_ensembl_need_a_table(tmp_path: Path, read: Read) -> None:
    folder = xena(tmp_path / "xena", Truth())
    with pytest.raises(InputError, match=r"Ensembl ids(.|\n)*star_tpm.tsv.gz, line 2(.|\n)*`from: genes`"):
        read("xena", folder)


def test_two_tables_of_a_kind_must_be_chosen_from(tmp_path: Path, read: Read) -> None:
    folder = cbioportal(tmp_path / "study", Truth())
    for name in ("meta", "data"):
        text = (folder / f"{name}_mrna.txt").read_text()
        (folder / f"{name}_fpkm.txt").write_text(text.replace("data_mrna", "data_fpkm").replace("rna_seq", "fpkm"))
    with pytest.raises(ConfigError, match=r"several tables of rna(.|\n)*fpkm, rna_seq(.|\n)*name it in the config"):
        read("cbioportal", folder, **LOG)
    with pytest.raises(ConfigError, match=r"no such table(.|\n)*tpm(.|\n)*fpkm, rna_seq"):
        read("cbioportal", folder, **{**LOG, "rna": {"table": "tpm"}})
    assert "rna" in read("cbioportal", folder, **{**LOG, "rna": {"table": "fpkm", **LOG["rna"]}}).omics


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("data_clinical_patient.txt", "1:DECEASED", "gone", ["a status is unknown", "column OS_STATUS", "gone"]),
        ("data_clinical_patient.txt", "_MONTHS", "_TIME", ["no patient has an outcome"]),
        ("data_clinical_sample.txt", "PATIENT_ID\tS", "PATIENT\tS", ["lacks a column", "line 5 (header)", "PATIENT"]),
        ("data_clinical_patient.txt", "TCGA", "TCGB", ["both omics and", "of TCGA-A0-0000", "of TCGB-A0-0000"]),
        ("data_cna.txt", "TCGA", "TCGB", ["no sample belongs to", "TCGB-A0-0000-01, T", "TCGA-A0-0000, T"]),
    ],
)  # fmt: skip
def test_clinical_files_that_do_not_fit(
    tmp_path: Path, read: Read, name: str, old: str, new: str, expected: list[str]
) -> None:
    path = cbioportal(tmp_path / "study", Truth()) / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError) as error:
        read("cbioportal", path.parent, **LOG)
    for part in expected:
        assert part in str(error.value)


CELLS = st.text(alphabet="0123456789.,-eE+ \t\"'NAinf;x", max_size=6)


@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=5), ending=st.sampled_from(["\n", "\r\n", ""]))
def test_any_text_is_a_matrix_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], ending: str
) -> None:
    """A reading either holds exactly the numbers of the file, or fails with the project's own error."""
    path = tmp_path_factory.mktemp("any") / "matrix.tsv"
    lines = ["gene\tS1\tS2", *("\t".join(row) for row in rows)]
    path.write_bytes((ending or "\n").join(lines).encode() + ending.encode())
    try:
        matrix = read_matrix(path, genes=("gene",))
    except CclError as refused:
        error = refused
    else:
        error = None
    if error is not None:
        assert error.problem
        assert str(path) in error.where
        return
    kept = [line.split("\t") for line in lines[1:] if line]
    assert len(matrix.genes) == len(kept)
    for row, values in zip(kept, matrix.values, strict=True):
        expected = [float(text) if text.strip() not in EMPTY else float("nan") for text in row[1:]]
        assert values.tolist() == pytest.approx(expected, rel=1e-6, nan_ok=True)


@given(cut=st.integers(min_value=0, max_value=200))
def test_any_truncation_of_a_gzip_is_an_error(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    text = "gene\t" + "\t".join(f"S{n}" for n in range(40)) + "\n" + "TP53\t" + "\t".join(map(str, range(40))) + "\n"
    whole = gzip.compress(text.encode(), mtime=0)
    path = tmp_path_factory.mktemp("cut") / "matrix.tsv.gz"
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    with pytest.raises(InputError):
        read_matrix(path, genes=("gene",))


@given(text=st.text(alphabet="aP1\t\n\r\"#'- ", max_size=40))
def test_any_text_is_a_table_of_records_or_one_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "clinical.txt"
    path.write_bytes(text.encode())
    try:
        header, records = read_records(path)
    except CclError as error:
        assert str(path) in error.where  # noqa: PT017 (either outcome is right)
        return
    assert len(set(header.names)) == len(header.names)
    assert all(set(record) <= set(header.names) for record in records)
    assert not EMPTY.intersection(value for record in records for value in record.values())


def test_a_matrix_that_r_wrote_with_all_names_is_read(tmp_path: Path) -> None:
    """``write.table(x, sep="\\t", col.names=NA)`` quotes names and leaves that of the first column empty."""
    path = tmp_path / "matrix.tsv"
    path.write_text('""\t"S1"\t"S2"\n"TP53"\t1.5\tNA\n"KRAS"\t2\t-3e2\n')
    found = read_matrix(path, genes=())
    assert (found.genes, found.samples) == (("TP53", "KRAS"), ("S1", "S2"))
    np.testing.assert_array_equal(found.values, [[1.5, np.nan], [2, -300]])
