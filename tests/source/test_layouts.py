"""The same cohort in every public layout reaches the same tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ccl.cli import cli
from ccl.io.formats import Genomics
from tests.source.conftest import Read
from tests.source.layouts import DAYS, GENES, GMT, Truth, cbioportal, gdc, tidy, xena

LOG = {"rna": {"transform": "log2(x + 1)"}, "cnv": {}, "snv": {}}
LAYOUTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "cbioportal": (cbioportal, LOG),
    "gdc": (gdc, {**LOG, "cnv": {"transform": "x - 2"}}),
    "xena": (xena, {"genes": "probemap.tsv"}),
}


def genomics(out: Path, *tables: str, gmt: Path) -> Genomics:
    result = CliRunner().invoke(cli, ["genomics", *tables, "--gmt", str(gmt), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return Genomics.read(out)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_download_reaches_the_same_genomics_file_as_tidy_tables(tmp_path: Path, read: Read, layout: str) -> None:
    truth = Truth()
    write, section = LAYOUTS[layout]
    folder = write(tmp_path / layout, truth)
    options = ["--genes", str(folder / section["genes"])] if "genes" in section else []
    read_ = read(layout, folder, *options, **section)
    (tmp_path / "families.gmt").write_text(GMT)
    own = tidy(tmp_path / "tidy", truth)
    plain = [word for kind in ("rna", "cnv", "snv") for word in (f"--{kind}", str(own / f"{kind}.csv"))]
    expected = genomics(tmp_path / "tidy.h5", *plain, gmt=tmp_path / "families.gmt")
    found = genomics(tmp_path / "read.h5", "--wide", str(read_.folder / "omics.h5"), gmt=tmp_path / "families.gmt")
    assert found.patients == expected.patients
    assert [family.columns for family in found.families] == [family.columns for family in expected.families]
    for one, other in zip(found.families, expected.families, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-6)
    np.testing.assert_array_equal(read_.patients["OS"], truth.dead)
    np.testing.assert_allclose(read_.patients["OS.time"], truth.days / DAYS, rtol=1e-6)
    assert set(read_.patients["site"]) == {"A0", "A1", "A2", "A3"}
    assert read_.summary["warnings"] == []
    assert read_.summary["patients"] == read_.summary["complete"] == truth.n
    assert {file["file"] for file in read_.summary["inputs"]["source"]} >= {"probemap.tsv"} - {
        layout == "xena" or "probemap.tsv"
    }


def test_status_words_and_long_copy_numbers_mean_the_same(tmp_path: Path, read: Read) -> None:
    truth = Truth()
    numbers = read("cbioportal", cbioportal(tmp_path / "numbers", truth), **LOG)
    words = read("cbioportal", cbioportal(tmp_path / "words", truth, words=True, long=True), **LOG)
    pd.testing.assert_frame_equal(numbers.patients, words.patients)
    pd.testing.assert_frame_equal(numbers.omics["cnv"], words.omics["cnv"])
    assert list(words.patients.columns) == ["site", "OS", "OS.time", "PFI", "PFI.time"]
    np.testing.assert_array_equal(words.patients["PFI"], truth.dead)


def test_long_copy_numbers_with_zeros_leave_unlisted_pairs_missing(tmp_path: Path, read: Read) -> None:
    folder = cbioportal(tmp_path / "study", Truth(), long=True)
    path = folder / "data_cna.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].rsplit("\t", 1)[0] + "\t0"]) + "\n")
    cnv = read("cbioportal", folder, **LOG).omics["cnv"]
    assert cnv.isna().to_numpy().any()


def test_unmutated_and_not_sequenced_differ(tmp_path: Path, read: Read) -> None:
    truth = Truth()
    folder = cbioportal(tmp_path / "study", truth)
    path = folder / "case_lists" / "cases_sequenced.txt"
    path.write_text(path.read_text().replace(f"{truth.samples()[5]}\t", ""))
    data = folder / "data_mutations.txt"
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join(line for line in lines if truth.samples()[5] not in line))
    found = read("cbioportal", folder, **LOG)
    snv = found.omics["snv"]
    assert (snv.loc[truth.patients[0]] == 0).all()
    assert truth.patients[5] not in snv.index
    assert truth.patients[5] in found.omics["rna"].index
    assert found.summary["complete"] == truth.n - 1
    assert {"table": "snv", "reason": "patients without a sample", "count": 1, "examples": [truth.patients[5]]} in (
        found.summary["dropped"]
    )
    path.unlink()
    found = read("cbioportal", folder, **LOG)
    assert truth.patients[0] not in found.omics["snv"].index
    assert "cases_sequenced.txt" in found.summary["warnings"][0]


def test_silent_variants_count_only_when_asked(tmp_path: Path, read: Read) -> None:
    truth = Truth()
    folder = cbioportal(tmp_path / "study", truth)
    default = read("cbioportal", folder, **LOG)
    np.testing.assert_array_equal(default.omics["snv"][list(GENES)].T, truth.snv)
    assert default.summary["read"]["snv"]["silent_not_counted"] == (truth.snv.any(axis=0)).sum()
    silent = read("cbioportal", folder, **{**LOG, "snv": {"silent": True}}).omics["snv"]
    np.testing.assert_array_equal(silent["EGFR"], truth.snv.any(axis=0))


def test_clinical_columns_come_from_the_patient_and_the_sample(tmp_path: Path, read: Read) -> None:
    clinical = read("cbioportal", cbioportal(tmp_path / "study", Truth()), **LOG).clinical
    assert list(clinical.columns[:3]) == ["SAMPLE_TYPE", "GRADE", "AGE"]
    assert clinical["AGE"].tolist()[:3] == ["40", "41", "42"]
    assert clinical["SEX"].isna().sum() == 12


def test_without_omics_no_omics_file_is_needed(tmp_path: Path, read: Read) -> None:
    folder = gdc(tmp_path / "gdc", Truth(n=4))
    for path in folder.rglob("*star_gene_counts*"):
        path.write_text("damaged")
    found = read("gdc", folder, "--no-omics")
    assert found.omics == {}
    assert len(found.patients) == 4
    assert {file["file"] for file in found.summary["inputs"]["source"]} == {
        "clinical.tsv",
        "gdc_sample_sheet.2024-01-01.tsv",
    }


def test_the_metadata_of_a_cart_join_files_to_cases_as_the_sample_sheet_does(tmp_path: Path, read: Read) -> None:
    folder = gdc(tmp_path / "gdc", Truth())
    section = {**LOG, "cnv": {"transform": "x - 2"}}
    expected = read("gdc", folder, **section)
    sheet = folder / "gdc_sample_sheet.2024-01-01.tsv"
    rows = [line.split("\t") for line in sheet.read_text().splitlines()[1:]]
    metadata = [
        {
            "file_id": row[0],
            "file_name": row[1],
            "associated_entities": [
                {"entity_submitter_id": f"{sample}-11R-A144-07", "entity_type": "aliquot", "case_id": "an-id"}
                for sample in row[5].split(", ")
            ],
        }
        for row in rows
    ]
    sheet.unlink()
    (folder / "metadata.cart.2024-01-01.json").write_text(json.dumps(metadata))
    found = read("gdc", folder, **section)
    pd.testing.assert_frame_equal(found.patients, expected.patients)
    for kind in ("rna", "cnv", "snv"):
        pd.testing.assert_frame_equal(found.omics[kind], expected.omics[kind])


def test_a_gene_outside_the_panel_of_a_patient_is_missing_and_not_unmutated(tmp_path: Path, read: Read) -> None:
    truth = Truth()
    folder = cbioportal(tmp_path / "study", truth)
    names = truth.samples()
    panels = ["SMALL"] * 6 + ["NA"] * 6 + ["LARGE"] * 12
    rows = [["SAMPLE_ID", "mutations", "gistic"], *([n, p, "NA"] for n, p in zip(names, panels, strict=True))]
    (folder / "data_gene_panel_matrix.txt").write_text("".join("\t".join(row) + "\n" for row in rows))
    (folder / "meta_gene_panel_matrix.txt").write_text(
        "genetic_alteration_type: GENE_PANEL_MATRIX\ndatatype: GENE_PANEL_MATRIX\n"
        "data_filename: data_gene_panel_matrix.txt\n"
    )
    (folder / "data_gene_panel_small.txt").write_text("stable_id: SMALL\ndescription: a\ngene_list: TP53\tKRAS\n")
    (folder / "gene_panel_large.txt").write_text("stable_id: LARGE\ngene_list: TP53\tKRAS\tMYC\tEGFR\tRUBCN\n")
    found = read("cbioportal", folder, **LOG)
    snv = found.omics["snv"]
    expected = truth.snv.T.astype(float)
    expected[:6, 2:] = np.where(expected[:6, 2:] == 0, np.nan, 1)
    np.testing.assert_array_equal(snv[list(GENES)], expected)
    assert not found.omics["cnv"].isna().to_numpy().any()
    assert found.summary["read"]["snv"]["panel SMALL"] == "6 samples, 2 genes"


def test_only_kinds_that_are_named_are_read(tmp_path: Path, read: Read) -> None:
    found = read("xena", xena(tmp_path / "xena", Truth()), snv={})
    assert list(found.omics) == ["snv"]
    assert json.dumps(found.summary["inputs"]).count("star_tpm") == 0


def test_the_many_files_of_a_download_have_one_digest(tmp_path: Path, read: Read) -> None:
    folder = gdc(tmp_path / "gdc", Truth())
    found = {row["file"]: row["sha256"] for row in read("gdc", folder).summary["inputs"]["source"]}
    assert len(found) == 5
    together = next(name for name in found if "star" in name)
    assert together.endswith("and 23 more")
    path = sorted(folder.rglob("*star_gene*"))[-1]
    path.write_text(path.read_text().replace("\t9\t", "\t8\t"))
    again = {row["file"]: row["sha256"] for row in read("gdc", folder).summary["inputs"]["source"]}
    assert {name for name in found if found[name] != again[name]} == {together}


def test_survival_of_all_cancers_serves_one_cohort(tmp_path: Path, read: Read) -> None:
    truth = Truth()
    folder = xena(tmp_path / "xena", truth)
    path = folder / "survival_TINY_survival.txt"
    path.write_text(path.read_text() + "TCGA-ZZ-0001-01\tTCGA-ZZ-0001\t1\t100\t1\t100\n")
    found = read("xena", folder, snv={})
    assert list(found.patients.index) == truth.patients
    assert {"table": "survival", "reason": "patients in no other table", "count": 1, "examples": ["TCGA-ZZ-0001"]} in (
        found.summary["dropped"]
    )
    (folder / "TCGA.TINY.sampleMap_TINY_clinicalMatrix").unlink()
    assert list(read("xena", folder, "--no-omics").patients.index) == [*truth.patients, "TCGA-ZZ-0001"]
