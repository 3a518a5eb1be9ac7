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
from ccl.plan import Plan


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
