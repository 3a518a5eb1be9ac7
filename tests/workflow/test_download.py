"""A cohort whose slides are still on a server: planned, downloaded and read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from ccl.cohort.sheet import Source, make_sheet
from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from ccl.io.formats import ManifestRow, read_manifest
from tests.workflow.workspace import Workspace
from tests.wsi.download.server import Gdc, serving

pytestmark = pytest.mark.xdist_group("graph")

LOCAL = {"no_proxy": "127.0.0.1"}


@pytest.fixture
def gdc() -> Iterator[Gdc]:
    with serving() as server:
        yield server


@pytest.fixture
def workspace(tmp_path: Path, gdc: Gdc) -> Workspace:
    """A cohort of a manifest whose slides the server has."""
    demo, data = tmp_path / "demo", tmp_path / "my data"
    make_demo(demo, DemoSettings(patients=5, seed=3, bags=False, shuffle_risk=False))
    lines = ["id\tfilename\tmd5\tsize\tstate"]
    for slide in sorted((demo / "slides").iterdir()):
        file = gdc.add(slide.name, slide.read_bytes())
        lines.append(f"{file.id}\t{file.name}\t{file.md5}\t{file.size}\treleased")
    data.mkdir()
    (data / "manifest.txt").write_text("\n".join([*lines, ""]))
    make_sheet(tmp_path / "slides.csv", Source(data / "manifest.txt"), demo / "patients.csv")
    sheet, scales = pd.read_csv(tmp_path / "slides.csv"), pd.read_csv(demo / "slides.csv").set_index("slide_id")["mpp"]
    sheet.assign(mpp=sheet["slide_id"].map(scales)).to_csv(tmp_path / "slides.csv", index=False)
    workspace = Workspace(tmp_path)
    workspace.config = {
        "results": "results",
        "shards": 2,
        "cohorts": {
            "tiny": {
                "patients": "demo/patients.csv",
                "slides": "slides.csv",
                "download": {"manifest": "my data/manifest.txt", "server": gdc.address, "retries": 0},
            }
        },
        "cohort": {"n_folds": 2},
        "tissue": {"min_area_mm2": 0.02},
        "embed": {"encoders": {"resnet50": {"weights": "random"}}, "device": "cpu"},
    }
    return workspace


def outlined(workspace: Workspace) -> dict[str, ManifestRow]:
    """Return the rows of the tissue stage by slide."""
    manifests = (workspace.folder / "results" / "tiny" / "tissue" / "manifests").glob("*.tsv")
    return {row.slide_id: row for path in manifests for row in read_manifest(path)}


def test_slides_are_downloaded_and_read_and_may_then_be_deleted(workspace: Workspace, gdc: Gdc) -> None:
    tissue = ("--until", "tissue")
    assert workspace.planned(*tissue) == {"download": 2, "tissue": 2}
    assert not list(workspace.folder.rglob("*.part"))
    result = workspace.snakemake(*tissue, env=LOCAL)
    assert result.returncode == 0, result.stdout[-4000:]
    slides = pd.read_csv(workspace.folder / "slides.csv")["path"].map(Path)
    assert len(slides) >= 5
    for path in slides:
        assert hashlib.md5(path.read_bytes()).hexdigest() == hashlib.md5(gdc.files[f"id-{path.name}"]).hexdigest()
    assert all(len(asked) == 1 for asked in gdc.ranges.values())
    assert workspace.planned(*tissue) == {}
    slides.iloc[0].unlink()
    assert workspace.planned(*tissue) == {}
    result = workspace.snakemake(*tissue, "--forcerun", "download", env=LOCAL)
    assert result.returncode == 0, result.stdout[-4000:]
    assert slides.iloc[0].exists()
    assert sorted(map(len, gdc.ranges.values())) == [*[1] * (len(slides) - 1), 2]


def test_a_slide_that_cannot_be_downloaded(workspace: Workspace, gdc: Gdc) -> None:
    missing = min(gdc.files)
    gdc.faults[missing] = ["status 404"] * 2
    result = workspace.snakemake("--until", "tissue", "--keep-going", env=LOCAL)
    assert result.returncode != 0
    assert "the server does not have the file" in result.stdout
    assert "download a new manifest" in result.stdout
    workspace.set("on_bad_slide", "exclude")
    result = workspace.snakemake("--until", "tissue", env=LOCAL)
    assert result.returncode == 0, result.stdout[-4000:]
    excluded = {name: row.message for name, row in outlined(workspace).items() if row.status == "excluded"}
    assert list(excluded) == [Path(missing[3:]).stem]
    assert excluded[Path(missing[3:]).stem].startswith("download: the server does not have the file")

    result = workspace.snakemake("--until", "tissue", "--forcerun", "download", env=LOCAL)
    assert result.returncode == 0, result.stdout[-4000:]
    assert {row.status for row in outlined(workspace).values()} == {"ok"}
