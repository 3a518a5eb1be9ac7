"""The genomics stage: families, kinds of omics, and what it refuses."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner

from ccl.cli import cli
from ccl.config.cohort_sections import OMICS_SUFFIXES, Omics
from ccl.config.keys import keys_of
from ccl.config.sections import GenomicsSettings
from ccl.genomics.stage import group_genomics
from ccl.io.errors import ConfigError, InputError
from ccl.io.formats import Genomics, OmicsTables

STRICT = GenomicsSettings("patient_id", (), "error")
GMT = "ONE\tfirst\tTP53\tKRAS\nTWO\tsecond\tKRAS\tMYC\tMISSING\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def gmt(tmp_path: Path) -> Path:
    return write(tmp_path / "families.gmt", GMT)


def test_families_take_their_genes_of_every_kind(tmp_path: Path, gmt: Path) -> None:
    rna = write(tmp_path / "rna.csv", "patient_id,KRAS,TP53,OTHER\nP2,2.5,1.5,9\nP1,-1,36900,9\n")
    snv = write(tmp_path / "snv.csv", "patient_id,TP53,MYC\nP1,0,1\nP2,1,0\n")
    group_genomics(tmp_path / "g.h5", settings=STRICT, tables={"rna": rna, "snv": snv}, gmt=[gmt])
    genomics = Genomics.read(tmp_path / "g.h5")
    assert genomics.patients == ("P1", "P2")
    one, two = genomics.families
    assert one.columns == ("KRAS_rnaseq", "TP53_mut", "TP53_rnaseq")
    assert two.columns == ("KRAS_rnaseq", "MYC_mut")
    np.testing.assert_array_equal(one.values, np.array([[-1, 0, 36900], [2.5, 1, 1.5]], dtype=np.float32))


@pytest.mark.parametrize("kind", [kind for kind in keys_of(Omics) if kind != "wide"])
def test_every_kind_is_the_same_alone_and_in_a_wide_table(tmp_path: Path, gmt: Path, kind: str) -> None:
    alone = write(tmp_path / "alone.csv", "patient_id,KRAS,TP53\nP1,1,2\n")
    suffix = OMICS_SUFFIXES[kind]
    wide = write(tmp_path / "wide.csv", f"patient_id,KRAS{suffix},TP53{suffix}\nP1,1,2\n")
    made = []
    for option, table in ((kind, alone), ("wide", wide)):
        out = tmp_path / f"{option}.h5"
        result = CliRunner().invoke(cli, ["genomics", f"--{option}", str(table), "--gmt", str(gmt), "--out", str(out)])
        assert result.exit_code == 0, result.output
        made.append(Genomics.read(out).families)
    one, other = made
    assert [family.columns for family in one] == [family.columns for family in other]
    assert one[0].columns == (f"KRAS{suffix}", f"TP53{suffix}")


def test_a_wide_table_with_a_row_per_slide(tmp_path: Path, gmt: Path) -> None:
    wide = write(
        tmp_path / "all.csv",
        ",patient_id,age,KRAS_rnaseq,MYC_cnv,TP53_mut\n0,P1,60,1.5,-2,1\n1,P1,60,1.5,-2,1\n2,P2,,0.5,2,0\n",
    )
    group_genomics(tmp_path / "g.h5", settings=STRICT, tables={"wide": wide}, gmt=[gmt])
    genomics = Genomics.read(tmp_path / "g.h5")
    assert genomics.patients == ("P1", "P2")
    assert genomics.families[1].columns == ("KRAS_rnaseq", "MYC_cnv")


def test_the_config_picks_and_orders_families(tmp_path: Path, gmt: Path) -> None:
    rna = write(tmp_path / "rna.csv", "patient_id,KRAS\nP1,1\n")
    settings = GenomicsSettings("patient_id", ("TWO", "ONE"), "error")
    group_genomics(tmp_path / "g.h5", settings=settings, tables={"rna": rna}, gmt=[gmt])
    assert [family.name for family in Genomics.read(tmp_path / "g.h5").families] == ["TWO", "ONE"]
    unknown = GenomicsSettings("patient_id", ("THREE",), "error")
    with pytest.raises(ConfigError, match="unknown gene family"):
        group_genomics(tmp_path / "h.h5", settings=unknown, tables={"rna": rna}, gmt=[gmt])


def test_missing_values_are_kept_for_training_only_when_asked(tmp_path: Path, gmt: Path) -> None:
    rna = write(tmp_path / "rna.csv", "patient_id,KRAS\nP1,1\nP2,\n")
    with pytest.raises(InputError) as error:
        group_genomics(tmp_path / "g.h5", settings=STRICT, tables={"rna": rna}, gmt=[gmt])
    assert "row 3 (patient P2), column KRAS" in str(error.value)
    assert not (tmp_path / "g.h5").exists()
    group_genomics(
        tmp_path / "g.h5", settings=GenomicsSettings("patient_id", (), "mean"), tables={"rna": rna}, gmt=[gmt]
    )
    assert np.isnan(Genomics.read(tmp_path / "g.h5").families[0].values).tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("patient_id,KRAS\nP1,high\n", "not a finite number"),
        ("patient_id,KRAS\nP1,inf\n", "not a finite number"),
        ("patient_id,KRAS\nP1,1\nP1,2\n", "disagree"),
        ("patient_id,KRAS\n,1\n", "names no patient"),
        ("patient_id\nP1\n", "no omics columns"),
        ("case,KRAS\nP1,1\n", "a column is missing"),
        ("patient_id,KRAS\nP1,1e39\n", "range of float32"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, gmt: Path, text: str, expected: str) -> None:
    rna = write(tmp_path / "rna.csv", text)
    with pytest.raises(InputError, match=expected):
        group_genomics(tmp_path / "g.h5", settings=STRICT, tables={"rna": rna}, gmt=[gmt])
    assert not (tmp_path / "g.h5").exists()


def test_a_patient_of_one_table_only_is_refused(tmp_path: Path, gmt: Path) -> None:
    rna = write(tmp_path / "rna.csv", "patient_id,KRAS\nP1,1\nP2,2\n")
    cnv = write(tmp_path / "cnv.csv", "patient_id,KRAS\nP1,1\n")
    with pytest.raises(InputError, match="patient P2"):
        group_genomics(tmp_path / "g.h5", settings=STRICT, tables={"rna": rna, "cnv": cnv}, gmt=[gmt])


def test_real_families_have_the_published_sizes(tmp_path: Path, real_data: Path) -> None:
    settings = GenomicsSettings("case_id", (), "error")
    table = real_data / "tcga_omics_mcat" / "tcga_blca_all_clean.csv.zip"
    group_genomics(tmp_path / "g.h5", settings=settings, tables={"wide": table}, gmt=[real_data / "gene_families.gmt"])
    genomics = Genomics.read(tmp_path / "g.h5")
    assert [len(family.columns) for family in genomics.families] == [94, 334, 521, 468, 1496, 479]
    assert len(genomics.patients) == 373


def test_what_the_file_rests_on_can_be_told_apart(tmp_path: Path, gmt: Path) -> None:
    def made(text: str) -> tuple[bytes, dict[str, Any]]:
        rna = write(tmp_path / "rna.csv", text)
        group_genomics(tmp_path / "g.h5", settings=STRICT, tables={"rna": rna}, gmt=[gmt])
        return (tmp_path / "g.h5").read_bytes(), dict(Genomics.read(tmp_path / "g.h5").inputs)

    table = "patient_id,KRAS,TP53,MYC\nP1,1,2,3\n"
    (first, inputs), (again, _), (_, other) = made(table), made(table), made(table + "P2,1,2,3\n")
    assert first == again
    assert inputs["rna"] == [{"file": "rna.csv", "sha256": hashlib.sha256(table.encode()).hexdigest()}]
    assert inputs["gmt"] == [{"file": "families.gmt", "sha256": hashlib.sha256(GMT.encode()).hexdigest()}]
    assert other["rna"] != inputs["rna"]
    assert other["gmt"] == inputs["gmt"]


@pytest.mark.parametrize(("missing", "patients"), [("error", ("P2",)), ("mean", ("P1", "P2"))])
def test_a_patient_of_a_download_who_lacks_a_kind(
    tmp_path: Path, gmt: Path, missing: Literal["error", "mean"], patients: tuple[str, ...]
) -> None:
    """The table of a download counts complete patients; with ``mean`` all, the others without values of the kind."""
    rna = (["P1", "P2"], ["KRAS", "OTHER"], np.array([[1, 2], [3, 4]], dtype=np.float32))
    snv = (["P2"], ["MYC", "KRAS"], np.array([[0], [1]], dtype=np.float32))
    cnv = (["P1"], ["OTHER"], np.array([[7]], dtype=np.float32))  # in no family, so that it costs no patient
    OmicsTables({"rna": rna, "snv": snv, "cnv": cnv}).write(tmp_path / "omics.h5")
    settings = GenomicsSettings("patient_id", (), missing)
    group_genomics(tmp_path / "g.h5", settings=settings, tables={"wide": tmp_path / "omics.h5"}, gmt=[gmt])
    found = Genomics.read(tmp_path / "g.h5")
    assert found.patients == patients
    assert found.families[1].columns == ("KRAS_mut", "KRAS_rnaseq", "MYC_mut")
    np.testing.assert_array_equal(found.families[1].values[-1], [1, 2, 0])
    if missing == "mean":
        np.testing.assert_array_equal(found.families[1].values[0], [np.nan, 1, np.nan])
