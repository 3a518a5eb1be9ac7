"""A file that was replaced by one of an older date is noticed by its content; a copy of the same content is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccl.io.errors import InputError
from ccl.io.files import identified, write_json
from ccl.io.formats import Features, Genomics, ManifestRow, Vectors, write_manifest
from ccl.io.sheets import Slide, shard_of
from ccl.plan import Plan
from ccl.wsi.reader.opening import slide_fingerprint
from ccl.wsi.tissue.outlines import Outlines, refused_file


@pytest.fixture
def made(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The config, after some of its results were made."""
    folder = tmp_path / "results" / "blca"
    (tmp_path / "weights.pth").write_text("w")
    inputs = {name: identified([tmp_path / f"{name}.csv"]) for name in ("patients", "slides")}
    write_json(folder / "cohort" / "summary.json", {"inputs": inputs})
    files = {"rna": tmp_path / "rna.csv", "gmt": tmp_path / "families.gmt"}
    Genomics((), (), {name: identified([path]) for name, path in files.items()}).write(folder / "genomics/genomics.h5")
    row = ManifestRow("S0", "ok", folder / "embed/uni/S0.h5", "k", 1, "")
    weights = f"file:{identified([tmp_path / 'weights.pth'])[0]['sha256']}"
    Features(np.ones((1, 2), np.float32), np.zeros((1, 2)), "uni", weights, {}).write(row.path, "k")
    write_manifest(folder / "embed/uni/manifests/0.tsv", [row])
    encoders = {"uni": {"weights": str(tmp_path / "weights.pth")}}
    return {"results": str(tmp_path / "results"), "embed": {"encoders": encoders}}


def replace(path: Path, content: str) -> None:
    """Replace a file as `cp -p` does: with an older date."""
    path.write_text(content)
    os.utime(path, (1, 1))


@pytest.mark.parametrize("name", ["patients.csv", "rna.csv", "families.gmt", "weights.pth"])
def test_a_file_of_an_older_date_is_noticed_by_its_content(
    plan: Callable[..., Plan], made: dict[str, Any], tmp_path: Path, name: str
) -> None:
    plan(**made)
    path = tmp_path / name
    before = path.read_text()
    replace(path, "another content")
    with pytest.raises(InputError, match="files of an older date") as error:
        plan(**made)
    assert f"touch {path}" in error.value.todo
    replace(path, before)
    plan(**made)
    path.write_text("another content")  # its new date tells Snakemake
    plan(**made)


@pytest.mark.parametrize("refused", [False, True], ids=["outlined", "refused"])
def test_a_slide_of_an_older_date_is_noticed_by_its_content(
    plan: Callable[..., Plan], made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    slide, folder = tmp_path / "S3.svs", tmp_path / "results" / "blca" / "tissue"
    slide.write_text("a slide")
    seen = slide_fingerprint(Slide("S3", "P1", slide, None))
    if refused:
        write_json(refused_file(folder, "S3"), {"slide_fingerprint": seen}, checksum=True)
    else:
        Outlines("S3", 0.5, 10, 10, (), fingerprint=seen).write(folder / "S3.geojson", "k")
    write_manifest(folder / "manifests" / f"{shard_of('S3', 3)}.tsv", [])
    plan(**made)
    replace(slide, "another slide")
    with pytest.raises(InputError, match="files of an older date") as error:
        plan(**made)
    assert f"touch {slide}" in error.value.todo
    replace(slide, "a slide")
    plan(**made)
    monkeypatch.setattr("ccl.wsi.reader.opening.slide_fingerprint", lambda _: pytest.fail("it is compared only once"))
    plan(**made)


def test_a_link_to_another_slide_is_noticed(plan: Callable[..., Plan], made: dict[str, Any], tmp_path: Path) -> None:
    slide, folder = tmp_path / "S3.svs", tmp_path / "results" / "blca" / "tissue"
    for name in ("one.svs", "two.svs"):
        replace(tmp_path / name, name)
    slide.symlink_to("one.svs")
    seen = slide_fingerprint(Slide("S3", "P1", slide, None))
    Outlines("S3", 0.5, 10, 10, (), fingerprint=seen).write(folder / "S3.geojson", "k")
    write_manifest(folder / "manifests" / f"{shard_of('S3', 3)}.tsv", [])
    plan(**made)
    slide.unlink()
    slide.symlink_to("two.svs")
    with pytest.raises(InputError, match="files of an older date"):
        plan(**made)


def test_so_is_a_table_of_vectors(
    plan: Callable[..., Plan], config: dict[str, Any], made: dict[str, Any], tmp_path: Path
) -> None:
    table = tmp_path / "til.csv"
    table.write_text("patient_id,x\n")
    cohorts = {"blca": {**config["cohorts"]["blca"], "vectors": {"til": {"path": "til.csv"}}}}
    values, counts = np.ones((1, 1), np.float32), np.ones(1, np.int64)
    record = Vectors(("P0",), values, ("x",), "table", "imported", counts, {}, {"vectors": identified([table])})
    record.write(tmp_path / "results" / "blca" / "vectors" / "til" / "vectors.h5")
    plan(**made, cohorts=cohorts)
    replace(table, "another content")
    with pytest.raises(InputError, match="files of an older date"):
        plan(**made, cohorts=cohorts)
