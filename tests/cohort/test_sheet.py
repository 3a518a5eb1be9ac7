"""`ccl slides`: which slides become rows of the sheet, whose they are, and what is told of the others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ccl.cohort.init import init_config
from ccl.cohort.sheet import Findings, Source, make_sheet
from ccl.io.errors import CclError, ConfigError, InputError
from ccl.io.gdc import read_gdc_manifest
from ccl.io.sheets import Frozen, read_slide_sheet
from ccl.plan import make_plan
from tests.cohort.files import manifest, slide, uuid, write

A, B, C = "TCGA-AA-0001", "TCGA-AA-0002", "TCGA-AA-0003"


def dx(patient: str, number: int = 1) -> str:
    return f"{patient}-01Z-00-DX{number}.0a.svs"


def ts(patient: str, sample: str = "01A") -> str:
    return f"{patient}-{sample}-01-TS1.0b.svs"


def rows(sheet: Path) -> dict[str, str]:
    """Return the patient of each file of a sheet."""
    return {row.path.name: row.patient_id for row in read_slide_sheet(sheet)}


def left_out(sheet: Path) -> dict[str, str]:
    """Return the rule that left each file out."""
    table = pd.read_csv(sheet.with_name(f"{sheet.stem}.left_out.csv"))
    assert list(table.columns) == ["path", "patient_id", "rule", "why"]
    return {Path(path).name: rule.split(",")[0] for path, rule in zip(table["path"], table["rule"], strict=True)}


def said(findings: Findings) -> str:
    return "\n".join([*findings.guessed, *findings.todo])


def test_a_manifest_becomes_a_sheet_of_slides_to_download(tmp_path: Path) -> None:
    names = {dx(A): b"a" * 5, dx(A, 2): b"b" * 6, dx(B): b"c" * 7, "notes.xml": b"d"}
    source = Source(manifest(tmp_path / "data" / "gdc_manifest.txt", names))
    findings = make_sheet(tmp_path / "slides.csv", source)
    assert rows(tmp_path / "slides.csv") == {dx(A): A, dx(A, 2): A, dx(B): B}
    (first, *_) = read_slide_sheet(tmp_path / "slides.csv")
    assert first.path == tmp_path / "data" / uuid(dx(A)) / dx(A)
    assert first.slide_id == dx(A).removesuffix(".svs")
    assert left_out(tmp_path / "slides.csv") == {}
    assert f"3 by the barcode of TCGA in its name; {dx(A)} is of {A}" in said(findings)
    assert f"several slides, all kept (1): {A}" in said(findings)
    assert "3 of the slides (0.0 GB) are not in" in said(findings)
    assert findings.todo == []


def test_files_of_a_manifest_that_are_there_are_looked_at(tmp_path: Path) -> None:
    good = slide(tmp_path / uuid(dx(A)) / dx(A).replace(".svs", ".tif"))
    names = {dx(A): good, dx(B): b"whole slide", dx(C): b"no slide"}
    source = manifest(tmp_path / "manifest.txt", names)
    good.rename(good.with_name(dx(A)))
    write(tmp_path / uuid(dx(B)) / dx(B), "whole")
    write(tmp_path / uuid(dx(C)) / dx(C), "no slide")
    findings = make_sheet(tmp_path / "slides.csv", Source(source))
    assert rows(tmp_path / "slides.csv") == {dx(A): A}
    assert "it has 5 bytes, and 11 in the manifest" in said(findings)
    assert f"{dx(C)} (not a slide that OpenSlide can read)" in said(findings)
    assert "are not in" not in said(findings)


def test_names_that_repeat_in_a_manifest_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    path = manifest(tmp_path / "manifest.txt", {"P1.svs": b"a"})
    path.write_text(path.read_text() + f"other\tP1.svs\t{'0' * 32}\t9\n")
    make_sheet(tmp_path / "slides.csv", Source(path, pattern=r"P\d+"))
    assert {row.slide_id for row in read_slide_sheet(tmp_path / "slides.csv")} == {
        f"{uuid('P1.svs')}-P1.svs",
        "other-P1.svs",
    }


@pytest.mark.parametrize(
    ("frozen", "kept"),
    [
        ("drop", {dx(A), dx(A, 2)}),
        ("fallback", {dx(A), dx(A, 2), ts(B)}),
        ("keep", {dx(A), dx(A, 2), ts(A), ts(B)}),
    ],
)
def test_diagnostic_slides_go_before_frozen_ones(tmp_path: Path, frozen: Frozen, kept: set[str]) -> None:
    names = [dx(A), dx(A, 2), ts(A), ts(B), ts(B, "11A")]
    source = manifest(tmp_path / "manifest.txt", {name: name.encode() for name in names})
    findings = make_sheet(tmp_path / "slides.csv", Source(source, frozen=frozen))
    assert set(rows(tmp_path / "slides.csv")) == kept
    found = left_out(tmp_path / "slides.csv")
    assert found.pop(ts(B, "11A")) == "slides of normal tissue"
    assert found == {name: "frozen sections" for name in {*names[:4]} - kept}
    assert (f"patients without a diagnostic slide, left out (1): {B}" in said(findings)) == (frozen == "drop")


def test_what_to_do_with_patients_of_frozen_sections_is_asked(tmp_path: Path) -> None:
    names = {name: name.encode() for name in (dx(A), ts(A), ts(B), ts(C))}
    source = manifest(tmp_path / "manifest.txt", names)
    with pytest.raises(ConfigError, match="frozen sections, but no diagnostic slide") as caught:
        make_sheet(tmp_path / "slides.csv", Source(source))
    assert caught.value.found == f"2 of 3 patients: {B}, {C}"
    assert all(f"--frozen {choice}" in caught.value.todo for choice in ("drop", "fallback", "keep"))
    assert sorted(tmp_path.iterdir()) == [source]


def test_a_patient_whose_diagnostic_slide_is_broken_has_frozen_sections_alone(tmp_path: Path) -> None:
    write(tmp_path / "slides" / dx(A), "broken")
    frozen = slide(tmp_path / "slides" / ts(A).replace(".svs", ".tif"))
    make_sheet(tmp_path / "slides.csv", Source(tmp_path / "slides", frozen="fallback"))
    assert rows(tmp_path / "slides.csv") == {frozen.name: A}


def metadata_of(line: str) -> dict[str, object]:
    """Return a line of a sample sheet as the API's metadata have it, with cases and their samples."""
    file_id, name, _, *columns = line.split("\t")
    cases = [
        {"submitter_id": case, "samples": [{"submitter_id": sample, "sample_type": kind, "tissue_type": None}]}
        for case, sample, kind in zip(*(column.split(", ") for column in columns), strict=True)
    ]
    return {"file_id": file_id, "file_name": name, "cases": cases}


def test_the_sample_sheet_tells_the_patient_and_the_tissue(tmp_path: Path) -> None:
    names = [f"{letter}.svs" for letter in "abcdef"]
    source = manifest(tmp_path / "manifest.txt", {name: name.encode() for name in names})
    header = "File ID\tFile Name\tData Type\tCase ID\tSample ID\tSample Type"
    lines = [
        f"{uuid('a.svs')}\ta.svs\tSlide Image\tC3L-1\tC3L-1-01\tPrimary Tumor",
        f"{uuid('b.svs')}\tb.svs\tSlide Image\tC3L-1, C3L-1\tC3L-1-01, C3L-1-02\tPrimary Tumor, Solid Tissue Normal",
        f"{uuid('c.svs')}\tc.svs\tSlide Image\tC3L-2\tC3L-2-11\tSolid Tissue Normal",
        f"{uuid('d.svs')}\td.svs\tSlide Image\tC3L-1, C3L-2\tC3L-1-01, C3L-2-01\tPrimary Tumor, Primary Tumor",
        f"{uuid('f.svs')}\tf.svs\tSlide Image\tC3L-9\tC3L-9-01\tPrimary Tumor",
    ]
    samples = write(tmp_path / "sample_sheet.tsv", "\n".join([header, *lines, ""]))
    patients = write(tmp_path / "patients.csv", "case,months,censorship\nC3L-1,1,0\nC3L-2,2,1\n")
    make_sheet(tmp_path / "slides.csv", Source(source, samples), patients)
    assert rows(tmp_path / "slides.csv") == {"a.svs": "C3L-1", "b.svs": "C3L-1"}
    assert left_out(tmp_path / "slides.csv") == {
        "c.svs": "slides of normal tissue",
        "d.svs": "slides of no known patient",
        "e.svs": "slides of no known patient",
        "f.svs": "slides of no known patient",
    }
    metadata = [metadata_of(line) for line in lines]
    write(tmp_path / "metadata.cart.json", json.dumps(metadata))
    make_sheet(tmp_path / "json.csv", Source(source, tmp_path / "metadata.cart.json"), patients)
    assert rows(tmp_path / "json.csv") == rows(tmp_path / "slides.csv")
    assert left_out(tmp_path / "json.csv") == left_out(tmp_path / "slides.csv")
    samples.write_text(samples.read_text().replace("Sample Type", "Tissue Type").replace("Solid Tissue ", ""))
    make_sheet(tmp_path / "again.csv", Source(source, samples), patients)
    assert rows(tmp_path / "again.csv") == rows(tmp_path / "slides.csv")


@pytest.mark.parametrize(
    ("pattern", "patients"),
    [
        (r"(C3[LN]-\d{5})-\d+", {"C3L-00001-21": "C3L-00001", "C3N-00002-22": "C3N-00002"}),
        (r"C3[LN]-\d{5}", {"C3L-00001-21": "C3L-00001", "C3N-00002-22": "C3N-00002"}),
        (r"hospital (\w)", {"C3L-00001-21": "x", "C3N-00002-22": "y", "scan": "y"}),
    ],
)
def test_a_pattern_tells_the_patient(tmp_path: Path, pattern: str, patients: dict[str, str]) -> None:
    for name in ("hospital x/C3L-00001-21", "hospital y/C3N-00002-22", "hospital y/scan"):
        slide(tmp_path / "slides" / f"{name}.tif")
    make_sheet(tmp_path / "slides.csv", Source(tmp_path / "slides", pattern=pattern))
    assert rows(tmp_path / "slides.csv") == {f"{name}.tif": patient for name, patient in patients.items()}


def test_a_file_counts_once_however_often_it_is_there(tmp_path: Path) -> None:
    for name in ("P1_a.tif", "P1_other.tif"):
        path = slide(tmp_path / "slides" / name)
        path.write_bytes(path.read_bytes().ljust(5000, b"\0"))  # of the same size, and not the same
    shutil.copyfile(tmp_path / "slides" / "P1_a.tif", tmp_path / "slides" / "P1_copy.tif")
    findings = make_sheet(tmp_path / "slides.csv", Source(tmp_path / "slides", pattern=r"P\d"))
    assert set(rows(tmp_path / "slides.csv")) == {"P1_a.tif", "P1_other.tif"}
    assert "counted once (1): P1_copy.tif (as P1_a.tif)" in said(findings)


@pytest.mark.parametrize("kind", ["folder", "manifest"])
def test_a_slide_of_two_patients_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        first = slide(tmp_path / "slides" / "P1_a.tif")
        shutil.copyfile(first, tmp_path / "slides" / "P2_b.tif")
        source = tmp_path / "slides"
    else:
        source = manifest(tmp_path / "manifest.txt", {"P1_a.tif": b"same", "P2_b.tif": b"same"})
    with pytest.raises(InputError, match="two patients have the same slide") as caught:
        make_sheet(tmp_path / "slides.csv", Source(source, pattern=r"P\d"))
    assert caught.value.found == "P1_a.tif of P1 and P2_b.tif of P2"
    assert not (tmp_path / "slides.csv").exists()


@pytest.mark.parametrize(
    ("line", "where", "found"),
    [
        ("id-1\t../x.svs\t{md5}\t5", "line 2, column filename", "../x.svs"),
        ("..\tx.svs\t{md5}\t5", "line 2, column id", ".."),
        ("id-1\tx.svs\tabc\t5", "line 2, column md5", "abc"),
        ("id-1\tx.svs\t{md5}\t5,0", "line 2, column size", "5,0"),
        ("id-1\tx.svs\t{md5}", "line 2, column size", "nothing"),
        ("id-1\tx.svs\t{md5}\t5\nid-1\ty.svs\t{md5}\t5", "line 3", "id-1"),
        ("id-1\tx.bam\t{md5}\t5", "manifest.txt", "1 files of other kinds, such as x.bam"),
        ("", "manifest.txt", "0 files of other kinds"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, line: str, where: str, found: str) -> None:
    path = write(tmp_path / "manifest.txt", "id\tfilename\tmd5\tsize\n" + line.format(md5="0" * 32) + "\n")
    with pytest.raises(InputError) as caught:
        make_sheet(tmp_path / "slides.csv", Source(path))
    assert where in caught.value.where
    assert caught.value.found == found
    assert caught.value.expected
    assert caught.value.todo


def test_a_manifest_without_a_column_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "manifest.txt", "id\tfilename\tsize\n")
    with pytest.raises(InputError, match="a column is missing"):
        make_sheet(tmp_path / "slides.csv", Source(path))
    write(path, "id,filename,md5,size\n")
    with pytest.raises(InputError, match="the columns have another delimiter"):
        make_sheet(tmp_path / "slides.csv", Source(path))


@given(st.text(st.sampled_from("a1-./\\\t\n \x00é"), max_size=80))
def test_no_line_of_a_manifest_names_a_file_outside_its_folder(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    path = write(folder / "manifest.txt", "filename\tid\tmd5\tsize\n" + text.replace("\n", f"\t{'0' * 32}\t5\n"))
    try:
        files = read_gdc_manifest(path)
    except InputError:
        return
    assert all(file.below(folder).resolve().parent.parent == folder.resolve() for file in files)


@pytest.mark.parametrize(
    ("out", "source", "expected"),
    [
        ("slides.xlsx", {}, "not the name of a slide sheet"),
        ("there.csv", {}, "nothing is overwritten"),
        ("new.csv", {"pattern": "("}, "not a regular expression"),
        ("new.csv", {"pattern": "P", "sample_sheet": Path("s.tsv")}, "two ways to find the patient"),
        ("new.csv", {"sample_sheet": Path("s.tsv")}, "a sample sheet belongs to a manifest"),
        ("new.csv", {}, "no usable slide of a patient"),
        ("new.csv", {"pattern": "(?s).*"}, "`sc an.tif` cannot be an identifier"),
    ],
)
def test_what_makes_no_sheet_is_refused_and_nothing_is_written(
    tmp_path: Path, out: str, source: dict[str, object], expected: str
) -> None:
    slide(tmp_path / "slides" / "sc an.tif")
    write(tmp_path / "there.csv", "mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CclError, match=expected):
        make_sheet(tmp_path / out, Source(tmp_path / "slides", **source))  # type: ignore[arg-type]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_table_of_other_patients_is_refused_and_both_sides_are_shown(tmp_path: Path) -> None:
    slide(tmp_path / "slides" / "scan 7.tif")
    table = write(tmp_path / "patients.csv", "case,months\nP1,1\nP2,2\nP3,3\nP4,4\n")
    with pytest.raises(InputError, match="no slide belongs to a patient of the table") as caught:
        make_sheet(tmp_path / "slides.csv", Source(tmp_path / "slides"), table)
    assert caught.value.found == "1 slides, such as scan 7.tif; a table of `case` (P1, P2, P3, ...)"


def test_init_takes_a_manifest_too_and_its_config_can_be_planned(tmp_path: Path) -> None:
    names = {name: name.encode() for name in (dx(A), ts(A), ts(B), dx(C))}
    source = Source(manifest(tmp_path / "manifest.txt", names), frozen="fallback")
    patients = write(tmp_path / "p.csv", f"patient_id,months,censorship\n{A},3,1\n{B},4,0\n")
    findings = init_config(tmp_path / "mine.yaml", slides=source, patients=patients)
    assert rows(tmp_path / "mine.slides.csv") == {dx(A): A, ts(B): B}
    assert left_out(tmp_path / "mine.slides.csv") == {ts(A): "frozen sections", dx(C): "slides of no known patient"}
    assert f"{dx(C)} ({C})" in said(findings)
    config = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert config["cohorts"]["mine"]["download"] == {"manifest": str(tmp_path / "manifest.txt")}
    cohort = make_plan(config).cohorts["mine"]
    assert {file.name for file in cohort.downloads.values()} == {dx(A), ts(B)}


def test_the_command_writes_the_sheet_and_says_what_it_did(tmp_path: Path) -> None:
    for name in ("P1_a.tif", "P2.tif"):
        slide(tmp_path / "slides" / name)
    command = [Path(sys.executable).parent / "ccl", "slides", tmp_path / "slides", "--pattern", r"P\d"]
    result = subprocess.run([*command, "--out", tmp_path / "s.tsv"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"wrote {tmp_path / 's.tsv'}" in result.stdout
    assert "2 slides of 2 patients" in result.stdout
    assert rows(tmp_path / "s.tsv") == {"P1_a.tif": "P1", "P2.tif": "P2"}
    result = subprocess.run([*command, "--out", tmp_path / "s.tsv"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: the file exists")
