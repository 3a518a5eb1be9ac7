"""`ccl init`: what it finds, what it guesses and says so, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from ccl.cli import cli
from ccl.clinical.table import read_clinical
from ccl.cohort.find import owner_of
from ccl.cohort.guess import guess_censorship, guess_months, guess_patient_column
from ccl.cohort.init import init_config
from ccl.cohort.sheet import Findings, Source
from ccl.config.check import check_config
from ccl.io.errors import ConfigError, InputError
from ccl.io.sheets import read_slide_sheet
from tests.cohort.files import slide, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Slides of P1 (two) and P10, one in a folder of its own."""
    for name in ("P1_a.tif", "P1_b.tif", "deep/er/P10 left.tiff"):
        slide(tmp_path / "slides" / name)
    return tmp_path / "slides"


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    return write(
        tmp_path / "clinical.csv",
        "Patient ID,age,OS_MONTHS,Censored\nP1,60,3,1\nP2,61,4,0\nP10,62,5,0\nP11,63,6.5,1\n",
    )


@pytest.fixture
def omics(tmp_path: Path) -> dict[str, Any]:
    table = write(tmp_path / "rna.csv", "Patient ID,TP53,KRAS\nP1,1,2\nP10,3,4\n")
    return {"rna": table, "gmt": [write(tmp_path / "families.gmt", "Oncogenes\tx\tKRAS\nSuppressors\tx\tTP53\n")]}


def todo(findings: Findings) -> str:
    return "\n".join(findings.todo)


def guessed(findings: Findings) -> str:
    return "\n".join(findings.guessed)


def test_a_config_and_a_sheet_are_written(tmp_path: Path, slides: Path, patients: Path, omics: dict[str, Any]) -> None:
    findings = init_config(tmp_path / "config" / "mine.yaml", slides=Source(slides), patients=patients, **omics)
    assert findings.todo == []
    config = yaml.safe_load((tmp_path / "config" / "mine.yaml").read_text())
    sheet = tmp_path / "config" / "mine.slides.csv"
    assert config["cohorts"] == {
        "mine": {
            "patients": str(patients),
            "patient_column": "Patient ID",
            "months_column": "OS_MONTHS",
            "censorship_column": "Censored",
            "slides": str(sheet),
            "omics": {"rna": str(omics["rna"])},
            "gmt": str(omics["gmt"][0]),
        }
    }
    assert (config["results"], config["shards"]) == ("results/mine", 1)
    assert "ccl" in config["models"]
    assert list(pd.read_csv(sheet).columns) == ["slide_id", "patient_id", "path", "mpp"]
    rows = read_slide_sheet(sheet)
    assert [(row.slide_id, row.patient_id, row.mpp) for row in rows] == [
        ("P10-left", "P10", None),
        ("P1_a", "P1", None),
        ("P1_b", "P1", None),
    ]
    assert all(row.path.exists() for row in rows)
    said = guessed(findings)
    for words in (
        "`Patient ID`",
        "`OS_MONTHS`",
        "`Censored`",
        "P10 left.tiff is of P10",
        "Oncogenes",
        "rna.csv has 2 of the 4 patients",
    ):
        assert words in said
    assert "3 slides of 2 patients; 2 patients of the table have no slide" in said


def test_several_files_of_families_are_a_list(
    tmp_path: Path, slides: Path, patients: Path, omics: dict[str, Any]
) -> None:
    omics["gmt"].append(write(tmp_path / "more.gmt", "More\tx\tMYC\n"))
    words = [word for path in omics["gmt"] for word in ("--gmt", str(path))]
    command = ["init", "--slides", str(slides), "--patients", str(patients), "--rna", str(omics["rna"]), *words]
    result = CliRunner().invoke(cli, [*command, "--out", str(tmp_path / "mine.yaml")])
    assert result.exit_code == 0, result.output
    assert "Oncogenes, Suppressors, More" in result.output
    config = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert config["cohorts"]["mine"]["gmt"] == [str(path) for path in omics["gmt"]]


@pytest.mark.parametrize("given", [(), ("rna",), ("rna", "gmt")])
def test_the_config_can_be_planned(
    tmp_path: Path, slides: Path, patients: Path, omics: dict[str, Any], given: tuple[str, ...]
) -> None:
    findings = init_config(
        tmp_path / "mine.yaml", slides=Source(slides), patients=patients, **{key: omics[key] for key in given}
    )
    assert ("gene families" in todo(findings)) == (given == ("rna",))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1", "--dry-run"]
    place = ["--directory", tmp_path, "--configfile", tmp_path / "mine.yaml"]
    result = subprocess.run([*command, *place], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    for job in ("tissue", "train", "report", *(["components"] if "gmt" in given else [])):
        assert f"\n{job} " in result.stdout + result.stderr


def test_without_gene_families_the_omics_wait_as_comments(
    tmp_path: Path, slides: Path, patients: Path, omics: dict[str, Any]
) -> None:
    init_config(tmp_path / "mine.yaml", slides=Source(slides), patients=patients, rna=omics["rna"])
    text = (tmp_path / "mine.yaml").read_text()
    assert "omics" not in yaml.safe_load(text)["cohorts"]["mine"]
    uncommented = yaml.safe_load(re.sub(r"^    # ", "    ", text, flags=re.MULTILINE))["cohorts"]["mine"]
    assert uncommented["omics"] == {"rna": str(omics["rna"])}
    assert uncommented["gmt"]


def test_slides_of_tcga_belong_to_the_barcode_s_patient(tmp_path: Path) -> None:
    uuid = "0a1b2c3d-0000-4000-8000-000000000000"
    known = slide(tmp_path / "slides" / uuid / f"TCGA-2F-A9KO-01Z-00-DX1.{uuid}.tif")
    slide(tmp_path / "slides" / "other" / f"TCGA-2F-A9KO-01A-01-TS1.{uuid}.tif")
    slide(tmp_path / "slides" / "stranger" / f"TCGA-2F-A9KX-01Z-00-DX1.{uuid}.tif")
    table = write(
        tmp_path / "clinical.tsv",
        "case_id\tcase_submitter_id\tvital_status\tOS\tOS.time\n"
        f"{uuid}\tTCGA-2F-A9KO\tDead\t1\t734\nffff\tTCGA-2F-A9KP\tAlive\t0\t364\n",
    )
    findings = init_config(tmp_path / "mine.yaml", slides=Source(tmp_path / "slides"), patients=table)
    rows = read_slide_sheet(tmp_path / "mine.slides.csv")
    assert [(row.slide_id, row.patient_id) for row in rows] == [(known.stem, "TCGA-2F-A9KO")]
    assert "`case_submitter_id`" in guessed(findings)
    assert "1 by the barcode of TCGA" in guessed(findings)
    assert "TCGA-2F-A9KX" in todo(findings)
    assert "frozen sections, left out: 1 (listed in mine.slides.left_out.csv)" in guessed(findings)
    assert "`OS.time`" in todo(findings)
    assert "30.44" in todo(findings)
    assert "`vital_status` (Alive, Dead)" in todo(findings)
    config = yaml.safe_load((tmp_path / "mine.yaml").read_text())["cohorts"]["mine"]
    assert (config["months_column"], config["censorship_column"]) == ("months", "censorship")
    assert "# - months: " in (tmp_path / "mine.yaml").read_text()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["P1.svs"], "P1"),
        (["P1_a.svs"], "P1"),
        (["P10.svs"], "P10"),
        (["P1a.svs"], None),
        (["P1-2_x.svs"], "P1-2"),
        (["scan.svs", "P10 left", "P1"], "P10"),
        (["TCGA-AA-0001-01Z-00-DX1.0a.svs"], "TCGA-AA-0001"),
        (["TCGA-AA-00012.svs"], None),
    ],
)
def test_a_name_begins_with_its_owner(names: list[str], expected: str | None) -> None:
    assert owner_of(names, {"P1", "P10", "P1-2"}) == expected


def test_the_column_of_patients_is_the_one_that_slides_are_named_by() -> None:
    table = pd.DataFrame(
        {"slide_id": ["A1_x", "A2_x"], "case_id": ["uuid-1", "uuid-2"], "key": ["A1", "A2"], "id": ["1", "2"]}
    )
    assert guess_patient_column(table.drop(columns="slide_id"), [["A1_x.svs"], ["A2_x.svs"]]) == "key"
    assert guess_patient_column(table.rename(columns={"key": "patient"}), [["A1_x.svs"]]) == "patient"
    assert guess_patient_column(table, [["B1_x.svs"]]) is None


def test_identifiers_of_digits_keep_their_zeros(tmp_path: Path) -> None:
    slide(tmp_path / "slides" / "007.tif")
    table = write(tmp_path / "p.csv", "patient_id,months,censorship\n007,3,1\n008,4,0\n")
    init_config(tmp_path / "mine.yaml", slides=Source(tmp_path / "slides"), patients=table)
    assert read_slide_sheet(tmp_path / "mine.slides.csv")[0].patient_id == "007"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"months": [1.0]}, "months"),
        ({"Overall Survival (Months)": [1.0], "Disease Free (Months)": [1.0]}, "Overall Survival (Months)"),
        ({"time_in_months": [1]}, "time_in_months"),
        ({"PFS_MONTHS": [1], "DFS_MONTHS": [1]}, None),
        ({"months": ["three"]}, None),
        ({"days_to_death": [100]}, None),
    ],
)
def test_months(columns: dict[str, list[object]], expected: str | None) -> None:
    guess = guess_months(pd.DataFrame(columns))
    assert guess.column == expected
    for name in columns:
        assert expected is not None or name == "months" or f"`{name}`" in guess.said


@pytest.mark.parametrize(
    ("columns", "expected", "said"),
    [
        ({"censorship": [0, 1]}, "censorship", "by its name"),
        ({"Censored": [0.0, 1.0, None]}, "Censored", "by its name"),
        ({"event": [0, 1], "censored": [1, 0]}, "censored", "by its name"),
        ({"censored": ["yes", "no"]}, None, "`censored` holds no, yes instead of 0 and 1"),
        ({"vital_status": ["Alive", "Dead"]}, None, "1 where `vital_status` is Alive and 0 where it is Dead"),
        ({"OS_STATUS": ["0:LIVING", "1:DECEASED"]}, None, "1 where `OS_STATUS` is 0:LIVING and 0 where it is"),
        ({"event": [1.0, 0.0]}, None, "1 where `event` is 0 and 0 where it is 1"),
        ({"status": [1, 2]}, None, "`status` (1, 2) tells deaths by its name"),
        ({"age": [50, 60]}, None, "no column of censorship was found"),
    ],
)
def test_censorship_is_never_the_inverse_of_a_column(
    columns: dict[str, list[object]], expected: str | None, said: str
) -> None:
    guess = guess_censorship(pd.DataFrame(columns))
    assert guess.column == expected
    assert said in guess.said
    assert ("1 where `status`" not in guess.said) or "status" not in columns


def test_what_cannot_be_used_is_named(tmp_path: Path, slides: Path, patients: Path) -> None:
    slide(slides / "P99_a.tif")
    slide(slides / "P2_flat.tif", scale=False)
    write(slides / "P2_cut.svs", "half a slide")
    write(slides / ".P2_hidden.svs", "no slide")
    write(slides / "notes.txt", "no slide")
    findings = init_config(tmp_path / "mine.yaml", slides=Source(slides), patients=patients)
    assert {row.slide_id for row in read_slide_sheet(tmp_path / "mine.slides.csv")} == {
        "P10-left",
        "P1_a",
        "P1_b",
        "P2_flat",
    }
    strangers, unusable, unscaled = findings.todo
    assert "P99_a.tif" in strangers
    assert "P2_cut.svs (not a slide that OpenSlide can read)" in unusable
    assert "P2_flat" in unscaled
    assert "mpp" in unscaled


def test_follow_up_that_a_run_would_refuse_is_said(tmp_path: Path, slides: Path) -> None:
    table = write(tmp_path / "p.csv", "patient_id,months,censorship\nP1,3,1\nP10,,0\n")
    findings = init_config(tmp_path / "mine.yaml", slides=Source(slides), patients=table)
    assert "row 3 (patient P10)" in todo(findings)


def test_omics_of_other_names_are_said(tmp_path: Path, slides: Path, patients: Path, omics: dict[str, Any]) -> None:
    cnv = write(tmp_path / "cnv.csv", "gene,P1,P10\nTP53,1,2\n")
    snv = write(tmp_path / "snv.csv", "Patient ID,TP53\nQ1,1\n")
    findings = init_config(tmp_path / "mine.yaml", slides=Source(slides), patients=patients, cnv=cnv, snv=snv, **omics)
    assert "cnv.csv has no column `Patient ID`: its rows must be patients" in todo(findings)
    assert "snv.csv has 0 of the 4 patients" in todo(findings)


def test_slides_of_one_name_in_two_folders_are_told_apart(tmp_path: Path, patients: Path) -> None:
    for patient in ("P1", "P2"):
        slide(tmp_path / "slides" / patient / "scan.tif")
    init_config(tmp_path / "mine.yaml", slides=Source(tmp_path / "slides"), patients=patients)
    rows = read_slide_sheet(tmp_path / "mine.slides.csv")
    assert [(row.slide_id, row.patient_id) for row in rows] == [("P1-scan.tif", "P1"), ("P2-scan.tif", "P2")]


@pytest.mark.parametrize("name", ["mine.yaml", "mine.slides.csv"])
def test_nothing_is_overwritten(tmp_path: Path, slides: Path, patients: Path, name: str) -> None:
    write(tmp_path / name, "mine\n")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(ConfigError, match="nothing is overwritten"):
        init_config(tmp_path / "mine.yaml", slides=Source(slides), patients=patients)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"slides": "empty"}, "1 files of other kinds"),
        ({"slides": "strangers"}, "Q1.tif"),
        ({"slides": "broken"}, "not a slide that OpenSlide can read"),
        ({"slides": "twins"}, "cannot become its identifier"),
        ({"out": "mine.csv"}, "not the name of a config"),
        ({"out": "my own.yaml"}, "not the name of a config"),
        ({"gmt": "families.gmt"}, "gene families without omics"),
        ({"rna": "families.gmt", "gmt": "clinical.csv"}, "a number in the place of a gene"),
    ],
)
def test_what_makes_no_config_is_refused_and_nothing_is_written(
    tmp_path: Path, slides: Path, patients: Path, omics: dict[str, Any], change: dict[str, str], expected: str
) -> None:
    write(tmp_path / "empty" / "notes.txt", "")
    slide(tmp_path / "strangers" / "Q1.tif")
    write(tmp_path / "broken" / "P1.svs", "half a slide")
    for name in ("P1 a.tif", "P1-a.tif"):
        slide(tmp_path / "twins" / name)
    given = {"out": tmp_path / "mine.yaml", "slides": slides, "patients": patients}
    given |= {key: [tmp_path / value] if key == "gmt" else tmp_path / value for key, value in change.items()}
    given["slides"] = Source(given["slides"])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((ConfigError, InputError)) as error:
        init_config(**given)
    assert expected in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_tells_what_it_did(tmp_path: Path, slides: Path, patients: Path) -> None:
    command = [Path(sys.executable).parent / "ccl", "init", "--slides", slides, "--patients", patients]
    result = subprocess.run([*command, "--out", tmp_path / "m.yaml"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"wrote {tmp_path / 'm.yaml'}" in result.stdout
    result = subprocess.run([*command, "--out", tmp_path / "m.yaml"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: the file exists")


def test_columns_of_a_clinical_table_wait_as_comments(tmp_path: Path, slides: Path, patients: Path) -> None:
    """Without their `#` they are a section that reads the table."""
    table = write(
        tmp_path / "facts.tsv",
        "barcode\tAge (years)\tstage\tvital_status\tnote\tsite\n"
        "P1\t60\tII\tAlive\tn1\tX\nP2\t61.5\tI\tDead\tn2\tX\nP10\t[Unknown]\t[Not Available]\tDead\tn3\tX\n"
        + "".join(f"Q{number}\t50\t\tDead\tm{number}\tX\n" for number in range(12)),
    )
    findings = init_config(tmp_path / "mine.yaml", slides=Source(slides), patients=patients, clinical=table)
    text = (tmp_path / "mine.yaml").read_text()
    assert "clinical" not in yaml.safe_load(text)["cohorts"]["mine"]
    config = check_config(yaml.safe_load(text.replace("    # clinical", "    clinical").replace("    #   ", "      ")))
    section = config.cohorts["mine"].clinical
    assert section
    read = read_clinical(table, section, patient_column=section.patient_column or "", patients={"P1", "P2", "P10"})
    assert read.loc["P1"].to_dict() == {"Age_years": 60, "stage": "II"}
    assert read.loc["P2"].to_dict() == {"Age_years": 61.5, "stage": "I"}
    assert read.loc["P10"].isna().all()
    said = guessed(findings)
    assert "facts.tsv, columns that may be covariates: Age (years), stage" in said
    assert "facts.tsv, left out, as named like an outcome: vital_status" in said
    assert "facts.tsv, left out, as of one value or of many words: note, site" in said
    assert "known at diagnosis" in todo(findings)


def test_a_clinical_table_of_others_is_told(tmp_path: Path, slides: Path, patients: Path) -> None:
    table = write(tmp_path / "facts.csv", "id,stage\nQ1,I\nQ2,II\n")
    findings = init_config(tmp_path / "mine.yaml", slides=Source(slides), patients=patients, clinical=table)
    assert "facts.csv: no column names patients" in todo(findings)
    assert "clinical" not in yaml.safe_load((tmp_path / "mine.yaml").read_text())["cohorts"]["mine"]
    assert "# clinical:" not in (tmp_path / "mine.yaml").read_text()
