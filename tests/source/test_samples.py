"""Which sample of a patient counts, and what is said about the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.matrix import Matrix
from ccl.source.samples import Sample, of_barcode, one_a_patient, type_of
from tests.source.conftest import Read
from tests.source.layouts import Truth, cbioportal, gdc

PATIENTS = ["TCGA-A0-0001", "TCGA-A0-0002", "TCGA-A0-0003"]


def chosen(samples: list[str], known: dict[str, Sample] | None = None, *types: str) -> tuple[dict[str, str], list[Any]]:
    """Return the sample that counts for each patient, and what was dropped."""
    values = np.arange(len(samples), dtype=np.float32)[None]
    account = Account()
    found = one_a_patient(
        "rna",
        Matrix(("TP53",), tuple(samples), values, "matrix.tsv"),
        known or {},
        PATIENTS,
        types=types or ("primary",),
        account=account,
    )
    return {patient: samples[int(value)] for patient, value in zip(found.samples, found.values[0], strict=True)}, (
        account.dropped
    )


def test_normals_and_recurrences_are_left_out_and_counted() -> None:
    found, dropped = chosen(["TCGA-A0-0001-11A", "TCGA-A0-0001-01A", "TCGA-A0-0002-02A", "TCGA-A0-0002-06A"])
    assert found == {"TCGA-A0-0001": "TCGA-A0-0001-01A"}
    counts = {entry["reason"]: (entry["count"], entry["examples"]) for entry in dropped}
    assert counts == {
        "samples of type normal": (1, ["TCGA-A0-0001-11A"]),
        "samples of type recurrence": (1, ["TCGA-A0-0002-02A"]),
        "samples of type metastasis": (1, ["TCGA-A0-0002-06A"]),
        "patients without a sample": (2, ["TCGA-A0-0002", "TCGA-A0-0003"]),
    }


def test_the_order_of_types_is_that_of_the_config() -> None:
    samples = ["TCGA-A0-0001-06A", "TCGA-A0-0001-01A", "TCGA-A0-0002-06A"]
    both, _ = chosen(samples, None, "primary", "metastasis")
    assert both == {"TCGA-A0-0001": "TCGA-A0-0001-01A", "TCGA-A0-0002": "TCGA-A0-0002-06A"}
    other, _ = chosen(samples, None, "metastasis", "primary")
    assert other["TCGA-A0-0001"] == "TCGA-A0-0001-06A"


def test_frozen_goes_before_ffpe_and_vial_a_before_b() -> None:
    ffpe = Sample("TCGA-A0-0001-01A", "TCGA-A0-0001", "primary", ffpe=True)
    found, dropped = chosen(
        ["TCGA-A0-0001-01A", "TCGA-A0-0001-01B", "TCGA-A0-0002-01B", "TCGA-A0-0002-01A"], {ffpe.name: ffpe}
    )
    assert found == {"TCGA-A0-0001": "TCGA-A0-0001-01B", "TCGA-A0-0002": "TCGA-A0-0002-01A"}
    reasons = {entry["reason"]: entry["examples"] for entry in dropped}
    assert reasons["FFPE samples beside another of the patient"] == ["TCGA-A0-0001-01A"]
    assert reasons["further samples of a patient"] == ["TCGA-A0-0002-01B"]


def test_a_longer_barcode_is_the_sample_of_the_table() -> None:
    known = {"TCGA-A0-0001-01": Sample("TCGA-A0-0001-01", "TCGA-A0-0003", "primary")}
    found, _ = chosen(["TCGA-A0-0001-01A-11R-A144-07"], known)
    assert list(found) == ["TCGA-A0-0003"]


def test_samples_with_names_of_their_own_are_those_of_the_table() -> None:
    known = {name: Sample(name, PATIENTS[0], kind) for name, kind in (("s1", "recurrence"), ("s2", "unknown"))}
    found, dropped = chosen(["s1", "s2", "s3"], known)
    assert found == {PATIENTS[0]: "s2"}
    assert {
        "table": "rna",
        "reason": "samples of nobody in the clinical table",
        "count": 1,
        "examples": ["s3"],
    } in dropped


def test_no_sample_of_a_patient() -> None:
    with pytest.raises(InputError, match=r"S1, S2(.|\n)*TCGA-A0-0001, TCGA-A0-0002, TCGA-A0-0003"):
        chosen(["S1", "S2"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TCGA-A1-A0SB-01A-11R-A144-07", "primary"), ("TCGA-A1-A0SB-03", "primary"), ("TCGA-A1-A0SB-11A", "normal"),
        ("TCGA-A1-A0SB-02A", "recurrence"), ("TCGA-A1-A0SB-06", "metastasis"), ("TCGA-A1-A0SB-50A", "other"),
    ],
)  # fmt: skip
def test_types_of_barcodes(name: str, expected: str) -> None:
    sample = of_barcode(name)
    assert sample is not None
    assert (sample.type, sample.patient) == (expected, "TCGA-A1-A0SB")


def test_names_that_are_no_barcodes() -> None:
    assert [of_barcode(name) for name in ("TCGA-A1-A0SB", "C3L-00104-01", "", "TCGA_A1_A0SB_01A")] == [None] * 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Primary Tumor", "primary"), ("Primary Blood Derived Cancer - Bone Marrow", "primary"),
        ("Metastatic", "metastasis"), ("Recurrent Tumor", "recurrence"), ("Blood Derived Normal", "normal"),
        ("Cell Lines", "other"), ("", "unknown"),
    ],
)  # fmt: skip
def test_types_of_words(words: str, expected: str) -> None:
    assert type_of(words) == expected


def test_sheets_of_gdc_since_2024(tmp_path: Path, read: Read) -> None:
    """They state the tissue and a descriptor, and how a sample was preserved, in the place of its type."""
    folder = gdc(tmp_path / "gdc", Truth(n=4))
    for path in [*folder.rglob("*maf*"), *folder.rglob("*copy*")]:
        path.unlink()
    names = sorted(path.name for path in folder.rglob("*counts*"))
    head = "File ID\tFile Name\tCase ID\tSample ID\tTissue Type\tTumor Descriptor\tPreservation Method"
    patients = Truth(n=4).patients
    rows = [
        f"id0\t{names[0]}\t{patients[0]}\tX-1\tTumor\tPrimary\tFFPE",
        f"id1\t{names[1]}\t{patients[0]}\tX-2\tTumor\tPrimary\tOCT",
        f"id2\t{names[2]}\t{patients[1]}\tX-3\tNormal\tNot Applicable\tOCT",
        f"id3\t{names[3]}\t{patients[2]}\tX-4\tTumor\tMetastatic\tOCT",
    ]
    (folder / "gdc_sample_sheet.2024-01-01.tsv").write_text("\n".join([head, *rows]) + "\n")
    found = read("gdc", folder)
    assert list(found.omics["rna"].index) == [patients[0]]
    np.testing.assert_allclose(found.omics["rna"]["TP53"], Truth(n=4).rna[0, 1], rtol=1e-6)
    reasons = {entry["reason"] for entry in found.summary["dropped"]}
    assert {
        "FFPE samples beside another of the patient",
        "samples of type normal",
        "samples of type metastasis",
    } <= reasons


def test_several_samples_of_a_patient_in_a_study(tmp_path: Path, read: Read) -> None:
    """The metastasis of the first patient is the primary of a table that has no barcodes."""
    truth = Truth(n=4)
    folder = cbioportal(tmp_path / "study", truth)
    for path in folder.rglob("*.txt"):
        text = path.read_text()
        for number, patient in enumerate(truth.patients):
            text = text.replace(f"{patient}-01", f"S{number}").replace(patient, f"P{number}")
        path.write_text(text)
    sheet = folder / "data_clinical_sample.txt"
    sheet.write_text(sheet.read_text().replace("P1\tS1\tPrimary", "P0\tS1\tMetastasis"))
    found = read("cbioportal", folder)
    assert list(found.omics["rna"].index) == ["P0", "P2", "P3"]
    np.testing.assert_allclose(found.omics["rna"]["TP53"], truth.rna[0, [0, 2, 3]], rtol=1e-6)
    assert found.patients.loc["P1", "OS"] == truth.dead[1]
    assert found.patients["site"].isna().all()
    own = read("cbioportal", folder, samples=["metastasis", "primary"])
    np.testing.assert_allclose(own.omics["rna"]["TP53"], truth.rna[0, [1, 2, 3]], rtol=1e-6)
