"""`ccl embed`, killed while it writes: nothing torn is taken for a slide's features, nothing finished is made again."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from ccl.io.formats import Features, ManifestRow, Tiles, read_manifest, write_manifest
from ccl.results.verify import verify_results

KILLED_HALFWAY = """
import os, signal
from pathlib import Path

write = Path.write_bytes

def torn(path, data):
    if "S1" not in path.name:
        return write(path, data)
    write(path, bytes(data)[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

Path.write_bytes = torn
"""
"""The process ends, as a node that is taken away does, with half of slide S1's file on the disk."""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Return the arguments of `ccl embed` for three slides of two patches."""
    rows, folder = [], tmp_path / "cohort"
    for number in range(3):
        name, image = f"S{number}", np.random.default_rng(number).integers(0, 256, (256, 512, 3), np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", image, tile=(256, 256), photometric="rgb")
        about = {"patch_size": 256, "patch_size_level0": 256, "level0_mpp": 0.5, "target_mpp": 0.5}
        tiles = Tiles(np.array([(0, 0), (256, 0)]), about | {"level0_width": 512, "level0_height": 256, "name": name})
        tiles.write(folder / "tile" / f"{name}.h5", f"tiles {name}")
        (folder / "tile" / f"{name}.jpg").touch()
        rows.append(ManifestRow(name, "ok", folder / "tile" / f"{name}.h5", f"tiles {name}", 2, ""))
    upstream = folder / "tile" / "manifests" / "0.tsv"
    write_manifest(upstream, rows)
    lines = [f"S{number},P,S{number}.tif,0.5" for number in range(3)]
    (tmp_path / "slides.csv").write_text("\n".join(["slide_id,patient_id,path,mpp", *lines]) + "\n")
    out = folder / "embed" / "resnet50"
    options = {
        "slides": tmp_path / "slides.csv",
        "shard": 0,
        "shards": 1,
        "upstream": upstream,
        "out": out,
        "manifest": out / "manifests" / "0.tsv",
        "encoder": "resnet50",
        "weights": "random",
        "dtype": "float32",
        "device": "cpu",
    }
    return ["embed", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]


def run(command: list[str], before: str = "") -> subprocess.CompletedProcess[str]:
    code = f"{before}\nfrom ccl.cli import main\nmain()"
    return subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)


def test_a_killed_worker_goes_on_where_it_was(tmp_path: Path, command: list[str]) -> None:
    folder = tmp_path / "cohort" / "embed" / "resnet50"
    killed = run(command, KILLED_HALFWAY)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    finished, torn = folder / "S0.h5", next(folder.glob(".ccl-S1*"))
    assert torn.stat().st_size < finished.stat().st_size
    assert {path.name for path in folder.iterdir()} == {"S0.h5", torn.name, ".sha256"}
    made = finished.stat().st_mtime_ns

    again = run(command)
    assert again.returncode == 0, again.stderr
    assert finished.stat().st_mtime_ns == made
    assert "embed: 4 patches" in again.stderr, "those of S1 and S2 alone"
    rows = read_manifest(folder / "manifests" / "0.tsv")
    assert [(row.slide_id, row.status, row.count) for row in rows] == [(f"S{number}", "ok", 2) for number in range(3)]
    assert len({Features.read(row.path).features.tobytes() for row in rows}) == 3
    assert [(problem.path, problem.again) for problem in verify_results(tmp_path).problems] == [(torn, None)]
