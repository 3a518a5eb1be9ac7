"""`ccl verify` names missing, damaged and left-over files; after `--mend` only these are made again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from ccl.cli import cli
from ccl.io.formats import Features, ManifestRow, Tiles, write_manifest

ABOUT = {"patch_size": 256, "patch_size_level0": 256, "name": "S"}


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
    assert (done.exit_code, done.output) == (0, "all files exist and are complete\n")


@pytest.mark.parametrize(
    ("stage", "name", "harm", "found"),
    [
        ("embed/uni", "A.h5", Path.unlink, "missing"),
        ("embed/uni", "A.h5", flip_a_byte, "damaged"),
        ("embed/uni", "A.h5", lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged"),
        ("tile", "B.h5", lambda path: Tiles(np.zeros((3, 2)), ABOUT).write(path, "k1"), "3 for 300"),
        ("tile", "B.h5", lambda path: Tiles(np.zeros((300, 2)), ABOUT).write(path, "k0"), "another key"),
        ("tile", "B.jpg", Path.unlink, "missing"),
        ("tile", ".B-abcd1234.h5", Path.touch, "killed"),
    ],
)
def test_a_harmed_file_is_named_and_mending_says_how_to_make_it_again(results, stage, name, harm, found) -> None:
    path = results / "blca" / stage / name
    harm(path)
    named = call(results)
    assert named.exit_code == 1
    assert str(path) in named.output
    assert found in named.output
    mended = call(results, "--mend")
    assert mended.exit_code == 0
    assert not path.exists()
    assert (str(results / "blca" / stage / "manifests/0.tsv") in mended.output) != name.startswith(".")
    other = results / "blca" / ("tile" if stage != "tile" else "embed/uni")
    assert len(list(other.glob("*.h5"))) == 2


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
    assert (done.exit_code, done.output) == (0, "all files exist and are complete\n")
    assert (results / "blca/tile/A.h5").exists()


def test_what_is_put_aside_can_be_moved_back(results: Path) -> None:
    path = results / "blca/embed/uni/A.h5"
    flip_a_byte(path)
    before = path.read_bytes()
    command = re.search(r"to move them back: (.*)", call(results, "--mend").output)
    assert command
    assert not path.exists()
    subprocess.run(command[1], shell=True, check=True)
    assert path.read_bytes() == before


def test_a_file_outside_of_the_results_is_left_alone(results: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("elsewhere")
    (outside / "D.h5").write_bytes(b"mine")
    (outside / "D.jpg").touch()
    retile(results, 7, "D", "k1", folder=outside)
    assert "D.h5: damaged" in call(results).output
    call(results, "--mend")
    assert (outside / "D.h5").read_bytes() == b"mine"


def test_a_hidden_file_that_is_not_ours_is_left_alone(results: Path) -> None:
    for path in (results / ".my-settings.json", results / "blca/tile/.my-settings.h5"):
        path.touch()
    assert call(results, "--mend").output == "all files exist and are complete\n"


def test_a_file_that_another_process_holds_open_is_not_damaged(results: Path) -> None:
    path = results / "blca/embed/uni/A.h5"
    code = f"import h5py, sys; file = h5py.File({str(path)!r}, 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert call(results, "--mend").output == "all files exist and are complete\n"
        assert path.exists()
        holder.communicate()


def test_a_flipped_byte_is_found_by_the_stage_that_reads_it_too(results: Path) -> None:
    flip_a_byte(results / "blca/embed/uni/A.h5")
    with pytest.raises(Exception, match="a damaged one"):
        Features.read(results / "blca/embed/uni/A.h5")


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nothing to verify"):
        CliRunner().invoke(cli, ["verify", str(tmp_path)], catch_exceptions=False)
