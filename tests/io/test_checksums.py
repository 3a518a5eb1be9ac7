"""Every file that a stage hands on has a checksum, and its reader compares it; a file without one is read as it is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ccl.io.checksums import FOLDER, check
from ccl.io.errors import DamageError, InputError
from ccl.io.files import atomic_path, read_json, read_rows, read_table, write_json, write_table
from ccl.io.formats import Clusters, Family, Features, Genomics, ManifestRow, Tiles, read_manifest, write_manifest

ABOUT = {"patch_size": 256, "patch_size_level0": 256, "target_mpp": 0.5}
VALUES = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
COORDS = np.arange(80).reshape(40, 2)
CLUSTERS = Clusters(
    ("P",), VALUES[None, :3], np.ones((1, 3), np.int64), {"S": np.zeros(40, np.int64)}, "uni", "hub", {}
)
GENOMICS = Genomics(("P", "Q"), (Family("f", ("a_rnaseq", "b_rnaseq"), VALUES[:2, :2]),))
ROWS = [ManifestRow("S", "ok", Path("S.h5"), "key", 40, ""), ManifestRow("T", "excluded", Path("T.h5"), "", 0, "pen")]
TABLE = pd.DataFrame({"patient_id": ["P", "Q"], "months": [1.5, 20.25]})

FILES: dict[str, tuple[Callable[[Path], None], Callable[[Path], Any]]] = {
    "tile.h5": (lambda path: Tiles(COORDS, ABOUT).write(path, "k"), Tiles.read),
    "embed.h5": (lambda path: Features(VALUES, COORDS, "uni", "hub", ABOUT).write(path, "k"), Features.read),
    "cluster.h5": (lambda path: CLUSTERS.write(path), Clusters.read),
    "genomics.h5": (lambda path: GENOMICS.write(path), Genomics.read),
    "0.tsv": (lambda path: write_manifest(path, ROWS), read_manifest),
    "patients.csv": (lambda path: write_table(path, TABLE, checksum=True), read_table),
    "folds.csv": (lambda path: write_table(path, TABLE, checksum=True), read_rows),
    "run.json": (lambda path: write_json(path, {"a": [1, 2.5, "text"]}, checksum=True), read_json),
}


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    write, read = FILES[name]
    path = tmp_path / name
    write(path)
    read(path)
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for place in {0, len(content) - 1, *rng.integers(len(content), size=60).tolist()}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(DamageError, match="--mend"):
            read(path)
    path.write_bytes(content)
    read(path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_an_older_version_has_no_checksum_and_is_read(tmp_path: Path, name: str) -> None:
    write, read = FILES[name]
    write(tmp_path / name)
    shutil.rmtree(tmp_path / FOLDER)
    read(tmp_path / name)
    assert not check(tmp_path / name)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_without_a_checksum_never_ends_in_a_traceback(tmp_path: Path, name: str) -> None:
    write, read = FILES[name]
    path = tmp_path / name
    write(path)
    shutil.rmtree(tmp_path / FOLDER)
    content = path.read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(60):
        damaged, length = bytearray(content), int(rng.integers(1, 9))
        place = int(rng.integers(len(content) - length))
        damaged[place : place + length] = rng.bytes(length)
        path.write_bytes(damaged)
        with suppress(InputError):
            read(path)


def test_a_file_that_is_written_again_has_a_new_checksum(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for value in (1, 2):
        write_json(path, {"a": value}, checksum=True)
        assert read_json(path) == {"a": value}
    write_json(path, {"a": 3})
    assert not check(path)


def test_a_process_killed_while_writing_leaves_no_wrong_checksum(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"a": 1}, checksum=True)

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt), atomic_path(path, checksum=True) as temporary:
        temporary.write_text("{}")
    assert read_json(path) == {"a": 1}


def test_sha256sum_checks_a_folder(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"a": 1}, checksum=True)
    write_table(tmp_path / "patients.csv", TABLE, checksum=True)
    command = ["sha256sum", "-c", *(f"{FOLDER}/{name}.sha256" for name in ("run.json", "patients.csv"))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["OK", "OK", "patients.csv:", "run.json:"]


@pytest.mark.parametrize(
    "text", ["", "12", "[1]", "\xff", "[" * 100_000], ids=["empty", "number", "list", "latin", "deep"]
)
def test_json_of_another_kind_is_an_error_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"run\.json"):
        read_json(tmp_path / "run.json", required=("cohort",))


@pytest.mark.parametrize("row", ["S\tok\tS.h5\tkey\t\t", "S\tok\tS.h5\tkey\tmany\t", "\tok\tS.h5\tkey\t3\t", "S"])
def test_a_manifest_with_blank_cells_is_an_error_of_ours(tmp_path: Path, row: str) -> None:
    path = tmp_path / "0.tsv"
    path.write_text(f"slide_id\tstatus\tpath\tkey\tcount\tmessage\n{row}\n")
    with pytest.raises(InputError, match=r"0\.tsv, row 2"):
        read_manifest(path)
