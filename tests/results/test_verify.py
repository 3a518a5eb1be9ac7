"""`ccl verify` names missing, damaged and left-over files; after `--mend` only these are made again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save

from ccl.cli import cli
from ccl.io.apart import SECONDS, Apart
from ccl.io.checksums import checksum_file
from ccl.io.errors import DamageError
from ccl.io.files import atomic_path, write_json, write_table
from ccl.io.formats import Clusters, Features, Genomics, ManifestRow, Tiles, write_manifest
from ccl.results.verify import read_h5

WHOLE = "6 files agree with their checksums\n"
ABOUT = {"patch_size": 256, "patch_size_level0": 256, "name": "S"}


CLUSTERS = Clusters(("P",), np.ones((1, 3, 8), np.float32), np.ones((1, 3), np.int64), {}, "uni", "hub", {})


def write_tensors(path: Path) -> None:
    with atomic_path(path, checksum=True) as temporary:
        temporary.write_bytes(save({"a": torch.zeros(9)}, {"ccl": "{}"}))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two slides tiled and embedded."""
    rows: dict[str, list[ManifestRow]] = {"tile": [], "embed/uni": []}
    coords = np.arange(600).reshape(300, 2)
    for name in ("A", "B"):
        tile, embed = tmp_path / f"blca/tile/{name}.h5", tmp_path / f"blca/embed/uni/{name}.h5"
        Tiles(coords, ABOUT).write(tile, "k1")
        tile.with_suffix(".jpg").touch()
        values = np.random.default_rng(0).normal(size=(300, 1024)).astype(np.float32)
        Features(values, coords, "uni", "hub", ABOUT).write(embed, "k2")
        rows["tile"].append(ManifestRow(name, "ok", tile, "k1", 300, ""))
        rows["embed/uni"].append(ManifestRow(name, "ok", embed, "k2", 300, ""))
    rows["tile"].append(ManifestRow("C", "excluded", tmp_path / "blca/tile/C.h5", "", 0, "no tissue"))
    for stage, listed in rows.items():
        write_manifest(tmp_path / f"blca/{stage}/manifests/0.tsv", listed)
    return tmp_path


def call(results: Path, *options: str):
    return CliRunner().invoke(cli, ["verify", str(results), *options])


def flip_a_byte(path: Path) -> None:
    with h5py.File(path) as file:
        start = file["features"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[start + 1000] ^= 4
    path.write_bytes(content)


def test_a_whole_folder_passes(results: Path) -> None:
    done = call(results)
    assert (done.exit_code, done.stdout) == (0, WHOLE)


def test_a_picture_of_a_tiling_that_is_missing_is_named(results: Path) -> None:
    path = results / "blca/tile/20x_512px/A.h5"
    Tiles(np.arange(8).reshape(4, 2), ABOUT).write(path, "k3")
    write_manifest(path.parent / "manifests/0.tsv", [ManifestRow("A", "ok", path, "k3", 4, "")])
    done = call(results)
    assert done.exit_code == 1
    assert "20x_512px/A.jpg" in done.output
    path.with_suffix(".jpg").touch()
    assert call(results).exit_code == 0
    path.write_bytes(path.read_bytes()[:500])
    assert str(path.parent / "manifests/0.tsv") in call(results, "--mend").output, "what makes it again"


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def untiled(path: Path, *, count: int = 300, key: str = "k1") -> None:
    Tiles(np.zeros((count, 2)), ABOUT).write(path, key)


@pytest.mark.parametrize(
    ("name", "harm", "found", "moved"),
    [
        ("embed/uni/A.h5", Path.unlink, "missing", False),
        ("embed/uni/A.h5", flip_a_byte, "damaged", True),
        ("embed/uni/A.h5", damage, "damaged", True),
        ("embed/uni/manifests/0.tsv", lambda path: path.write_bytes(path.read_bytes()[:40]), "damaged", True),
        ("tile/B.jpg", Path.unlink, "missing", False),
        ("tile/B.h5", partial(untiled, count=3), "3 for 300", False),
        ("tile/B.h5", partial(untiled, key="k0"), "another key", False),
        ("tile/.ccl-B-abcd1234.h5", Path.touch, "killed", True),
    ],
)
def test_a_harmed_file_is_named_and_only_what_is_damaged_is_moved(results, name, harm, found, moved) -> None:
    path = results / "blca" / name
    harm(path)
    there = {each for each in results.rglob("*") if each.is_file()}
    named = call(results)
    assert named.exit_code == 1
    assert f"{path}: " in named.stdout
    assert found in named.stdout
    mended = call(results, "--mend")
    assert mended.exit_code == 0
    gone = {each for each in there if not each.exists()}
    assert gone == ({path} if moved else set())
    stage = results / "blca" / ("tile" if name.startswith("tile") else "embed/uni")
    assert (f"--force {stage / 'manifests/0.tsv'}" in mended.stdout) != path.name.startswith(".")


SMALL = {
    "cohort/patients.csv": lambda path: write_table(path, pd.DataFrame({"patient_id": ["P"]}), checksum=True),
    "cluster/uni/k3.h5": lambda path: CLUSTERS.write(path),
    "cluster/uni/k3/P.h5": lambda path: CLUSTERS.write(path),
    "genomics/genomics.h5": lambda path: Genomics(("P",), ()).write(path),
    "train/uni/ccl/fold0/model.safetensors": lambda path: write_tensors(path),
    "train/uni/ccl/fold0/run.json": lambda path: write_json(path, {"fold": 0}, checksum=True),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_flipped_bit_is_found_in_every_stage(results: Path, name: str) -> None:
    path = results / "blca" / name
    SMALL[name](path)
    assert call(results).stdout == "7 files agree with their checksums\n"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    done = call(results, "--mend")
    assert f"{path}: damaged" in done.stdout
    assert not path.exists()
    again = path.parent.with_suffix(".h5") if path.parent.name == "k3" else path
    assert f"--force {again}\n" in done.stdout


@pytest.mark.parametrize("name", SMALL)
def test_a_file_without_a_checksum_is_said_to_be_unchecked(results: Path, name: str) -> None:
    path = results / "blca" / name
    SMALL[name](path)
    checksum_file(path).unlink()
    done = call(results)
    assert done.exit_code == 0
    assert "1 files can be read, but have no checksum" in done.stdout
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if path.suffix != ".csv":  # half a table is a table
        assert f"{path}: damaged" in call(results).stdout


def hang(path: Path) -> None:
    time.sleep(600)


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def devour(path: Path) -> None:
    np.ones(1 << 36, np.uint8)


@pytest.mark.parametrize(
    ("reader", "seconds", "found"),
    [(hang, 1.0, "no answer in 1 s"), (crash, SECONDS, "signal 11"), (devour, SECONDS, "16 GiB of memory")],
)
def test_a_file_that_hangs_crashes_or_devours_its_reader_is_damaged_and_the_next_is_read(
    results: Path, reader: Callable[[Path], None], seconds: float, found: str
) -> None:
    path = results / "blca/tile/A.h5"
    with Apart() as apart:
        with pytest.raises(DamageError, match=found):
            apart.read(reader, path, seconds=seconds)
        apart.read(read_h5, path)


def retile(results: Path, shard: int, name: str, key: str, *, folder: Path | None = None) -> None:
    """Write a manifest of `tile` that lists one slide, newer than all others."""
    path = (folder or results / "blca/tile") / f"{name}.h5"
    manifest = results / f"blca/tile/manifests/{shard}.tsv"
    write_manifest(manifest, [ManifestRow(name, "ok", path, key, 300, "")])
    newest = max(other.stat().st_mtime for other in manifest.parent.glob("*.tsv"))
    os.utime(manifest, (newest + 1, newest + 1))


def test_fewer_shards_leave_old_manifests_that_condemn_no_good_file(results: Path) -> None:
    Tiles(np.arange(600).reshape(300, 2), ABOUT).write(results / "blca/tile/A.h5", "k9")
    retile(results, 1, "A", "k9")  # 0.tsv still says k1
    done = call(results, "--mend")
    assert (done.exit_code, done.stdout) == (0, "7 files agree with their checksums\n")
    assert (results / "blca/tile/A.h5").exists()


def test_what_is_put_aside_can_be_moved_back(results: Path) -> None:
    path = results / "blca/embed/uni/A.h5"
    flip_a_byte(path)
    before = path.read_bytes()
    command = re.search(r"to move them back: (.*)", call(results, "--mend").stdout)
    assert command
    assert not path.exists()
    subprocess.run(command[1], shell=True, check=True)
    assert path.read_bytes() == before


def test_a_file_outside_of_the_results_is_left_alone(results: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("elsewhere")
    (outside / "D.h5").write_bytes(b"mine")
    (outside / "D.jpg").touch()
    retile(results, 7, "D", "k1", folder=outside)
    assert "D.h5: damaged" in call(results).stdout
    call(results, "--mend")
    assert (outside / "D.h5").read_bytes() == b"mine"


def test_files_that_are_not_of_a_stage_are_left_alone(results: Path) -> None:
    others = [results / "benchmarks/tissue/0.tsv", results / "logs/tile/0.tsv", results / "blca/mine/notes.json"]
    for path in others:
        path.parent.mkdir(parents=True)
        path.write_text("not of ours")
    assert call(results, "--mend").stdout == WHOLE
    assert all(path.exists() for path in others)


def test_a_hidden_file_that_is_not_ours_is_left_alone(results: Path) -> None:
    for path in (results / ".my-settings.json", results / "blca/tile/.my-settings.h5"):
        path.touch()
    assert call(results, "--mend").stdout == WHOLE


def test_a_file_that_another_process_holds_open_is_not_damaged(results: Path) -> None:
    path = results / "blca/embed/uni/A.h5"
    code = f"import h5py, sys; file = h5py.File({str(path)!r}, 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        done = call(results, "--mend")
        assert f"{path}: not checked: another process has it open for writing" in done.stdout
        assert path.exists()
        holder.communicate()
    assert call(results).stdout == WHOLE


def test_a_flipped_byte_is_found_by_the_stage_that_reads_it_too(results: Path) -> None:
    flip_a_byte(results / "blca/embed/uni/A.h5")
    with pytest.raises(Exception, match="a file is damaged"):
        Features.read(results / "blca/embed/uni/A.h5")


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nothing to verify"):
        CliRunner().invoke(cli, ["verify", str(tmp_path)], catch_exceptions=False)
