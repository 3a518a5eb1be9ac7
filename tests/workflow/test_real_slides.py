"""Real slides, from the sheet to features, as a user would meet their quirks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccl.io.formats import Features, read_manifest
from tests.workflow.workspace import Workspace

SHEET = """slide_id,patient_id,path,mpp
CMU,P1,{d}/cmu_small_region.svs,
TCGA,P2,{d}/tcga-cr-7395-01a-01-ts1.svs,{mpp}
"""
PLAIN = "KIDNEY,P3,{d}/kidney-48-5.tif,0.5\n"


@pytest.mark.xdist_group("graph")
def test_three_real_slides(tmp_path: Path, real_data: Path) -> None:
    slides = real_data / "slides"
    workspace = Workspace(tmp_path)
    workspace.config = {
        "results": "results",
        "shards": 1,
        "cohorts": {"real": {"patients": "patients.csv", "slides": "slides.csv"}},
        "cohort": {"n_folds": 2},
        "embed": {"encoders": {"resnet50": {"weights": "random"}}, "device": "cpu"},
    }
    (tmp_path / "patients.csv").write_text("patient_id,months,censorship\nP1,1,0\nP2,2,0\nP3,3,1\nP4,4,1\n")
    (tmp_path / "slides.csv").write_text((SHEET + PLAIN).format(d=slides, mpp=""))
    result = workspace.snakemake()
    assert result.returncode != 0
    assert "2 of 3 slides cannot be used" in result.stdout
    assert "TCGA: tissue: the slide does not say its scale" in result.stdout
    assert "mpp" in result.stdout
    assert "KIDNEY: tissue: not a slide that OpenSlide can read" in result.stdout
    outline = tmp_path / "results" / "real" / "tissue" / "CMU.geojson"
    made = outline.stat().st_mtime_ns

    (tmp_path / "slides.csv").write_text((SHEET + PLAIN).format(d=slides, mpp=0.5))
    workspace.set("on_bad_slide", "exclude")
    result = workspace.snakemake("--until", "tile")
    assert result.returncode == 0, result.stdout
    assert outline.stat().st_mtime_ns == made, "what was done is not done again"
    tiles = {row.slide_id: row for row in read_manifest(tmp_path / "results" / "real" / "tile" / "manifests" / "0.tsv")}
    assert {name: row.status for name, row in tiles.items()} == {"CMU": "ok", "KIDNEY": "excluded", "TCGA": "ok"}
    assert "tissue: not a slide" in tiles["KIDNEY"].message

    (tmp_path / "slides.csv").write_text(SHEET.format(d=slides, mpp=1.5))
    result = workspace.snakemake()
    assert result.returncode == 0, result.stdout
    embedded = read_manifest(tmp_path / "results" / "real" / "embed" / "resnet50" / "manifests" / "0.tsv")
    assert [(row.slide_id, row.status) for row in embedded] == [("CMU", "ok"), ("TCGA", "excluded")]
    assert "coarser than the scale asked for" in embedded[1].message
    assert Features.read(embedded[0].path).features.shape == (embedded[0].count, 1024)
