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

GOOD, MISSING = 6, 9


@pytest.fixture
def slides(tmp_path: Path) -> Workspace:
    """A cohort whose features are wanted, in eight shards, with nine slides that do not exist."""
    workspace = Workspace(tmp_path / "cohort")
    make_demo(workspace.folder / "tiny", DemoSettings(patients=5, seed=3, bags=False, shuffle_risk=False))
    for key in ("models", "cluster", "train", "report"):
        del workspace.config[key]
    workspace.config["cohorts"] = {"tiny": {"patients": "tiny/patients.csv", "slides": "tiny/slides.csv"}}
    workspace.set("shards", 8)
    path = workspace.folder / "tiny" / "slides.csv"
    sheet = pd.read_csv(path)
    gone = [
        sheet.iloc[[0]].assign(slide_id=f"GONE-{number}", path=f"slides/gone{number}.svs") for number in range(MISSING)
    ]
    pd.concat([sheet, *gone]).to_csv(path, index=False)
    return workspace


def test_all_bad_slides_are_named_in_one_list_and_the_others_are_done(slides: Workspace) -> None:
    result = slides.snakemake()
    assert result.returncode != 0
    (told,) = [
        text
        for text in result.stdout.split("error: ")
        if f"{MISSING} of {GOOD + MISSING} slides cannot be used" in text
    ]
    assert all(f"GONE-{number}: tissue: the slide's file does not exist" in told for number in range(MISSING))
    results = slides.folder / "results" / "tiny"
    assert len(list((results / "embed" / "resnet50").glob("*.h5"))) == GOOD
    assert "GONE-3" in (results / "quality" / "contact_sheet.html").read_text()
    assert not (results / "embed" / "resnet50" / "manifest.tsv").exists()


def test_a_run_goes_on_with_what_was_mended(slides: Workspace) -> None:
    slides.snakemake("--until", "tissue")
    made = {path: path.stat().st_mtime_ns for path in (slides.folder / "results/tiny/tissue").glob("*.geojson")}
    sheet = pd.read_csv(slides.folder / "tiny" / "slides.csv")
    for path in sheet["path"][GOOD:]:
        shutil.copyfile(slides.folder / "tiny" / sheet["path"][1], slides.folder / "tiny" / path)
    result = slides.snakemake()
    assert result.returncode != 0
    assert "the same content belongs to several patients" in result.stdout
    owner = sheet["patient_id"][1]
    sheet.assign(patient_id=[*sheet["patient_id"][:GOOD], *[owner] * MISSING]).to_csv(
        slides.folder / "tiny" / "slides.csv", index=False
    )
    result = slides.snakemake()
    assert result.returncode == 0, result.stdout[-4000:]
    rows = read_manifest(slides.folder / "results/tiny/embed/resnet50/manifest.tsv")
    assert [row.status for row in rows].count("ok") == GOOD
    assert {path: path.stat().st_mtime_ns for path in made} == made
