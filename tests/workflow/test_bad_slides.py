"""Bad slides in a run as a user calls it: the others are done, and one list names all that are bad."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from ccl.io.formats import read_manifest
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")


def cohort(folder: Path, *, shards: int, missing: int) -> Workspace:
    """A cohort whose features are wanted, with slides of its first patient that do not exist."""
    workspace = Workspace(folder / "cohort")
    make_demo(workspace.folder / "tiny", DemoSettings(patients=5, seed=3, bags=False, shuffle_risk=False))
    for key in ("models", "cluster", "train", "report"):
        del workspace.config[key]
    workspace.config["cohorts"] = {"tiny": {"patients": "tiny/patients.csv", "slides": "tiny/slides.csv"}}
    workspace.set("shards", shards)
    path = workspace.folder / "tiny" / "slides.csv"
    sheet = pd.read_csv(path)
    gone = [sheet.iloc[[0]].assign(slide_id=f"GONE-{n}", path=f"slides/gone{n}.svs") for n in range(missing)]
    pd.concat([sheet, *gone]).to_csv(path, index=False)
    return workspace


def test_all_bad_slides_are_named_in_one_list_and_the_others_are_done(tmp_path: Path) -> None:
    slides = cohort(tmp_path, shards=8, missing=9)
    result = slides.snakemake()
    assert result.returncode != 0
    assert "error: 9 of 15 slides cannot be used" in result.stdout, result.stdout[-6000:]
    told = result.stdout[result.stdout.index("error: 9 of 15 slides cannot be used") :]
    assert all(f"GONE-{number}: tissue: the slide's file does not exist" in told for number in range(9))
    results = slides.folder / "results" / "tiny"
    assert len(list((results / "embed" / "resnet50").glob("*.h5"))) == 6
    assert "GONE-3" in (results / "quality" / "contact_sheet.html").read_text()
    assert not (results / "embed" / "resnet50" / "manifest.tsv").exists()


def test_a_run_goes_on_with_what_was_mended(tmp_path: Path) -> None:
    """A copy of a slide is a leak under another patient, and counts once under the same one."""
    slides = cohort(tmp_path, shards=1, missing=1)
    slides.snakemake("--until", "tissue")
    tissue = slides.folder / "results" / "tiny" / "tissue"
    made = {path: path.stat().st_mtime_ns for path in tissue.glob("*.geojson")}
    assert len(made) == 6
    sheet, path = pd.read_csv(slides.folder / "tiny" / "slides.csv"), slides.folder / "tiny" / "slides.csv"
    shutil.copyfile(path.parent / sheet["path"][5], path.parent / "slides" / "gone0.svs")
    result = slides.snakemake()
    assert result.returncode != 0
    assert "the same content belongs to several patients" in result.stdout
    sheet.assign(patient_id=[*sheet["patient_id"][:6], sheet["patient_id"][5]]).to_csv(path, index=False)
    result = slides.snakemake()
    assert result.returncode == 0, result.stdout[-4000:]
    rows = read_manifest(slides.folder / "results" / "tiny" / "embed" / "resnet50" / "manifest.tsv")
    assert [row.status for row in rows].count("ok") == 6
    assert {path: path.stat().st_mtime_ns for path in made} == made
