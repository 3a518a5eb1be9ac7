"""Outlining and tiling: seconds of a large slide, and small slides in one shard against one process for each.

    python benchmarks/tissue.py [--side 20480] [--slides 64]

Each slide is made for the run: an ellipse of grainy tissue with holes on glass, in 256-px JPEG tiles; 20x with and
without coarser levels, and 40x of twice the side with them. Of a large slide the quickest of three runs counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from ccl.config.sections import TileSettings, TissueSettings
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.tile.stage import TileStage
from ccl.wsi.tissue.stage import TissueStage

RUNS = 3
TILE_PX, TEXTURE_PX = 256, 2048
GLASS = (243, 241, 244)
TISSUE = TissueSettings(mpp=8.0, threshold=0.06, min_area_mm2=0.05, min_hole_mm2=0.005, annotation="restrict")
TILE = TileSettings(patch_size=256, mpp=0.5, unit="microns", min_tissue=0.5)
FLAGS = {
    "tissue": "--mpp 8 --threshold 0.06 --min-area-mm2 0.05 --min-hole-mm2 0.005 --annotation restrict",
    "tile": "--patch-size 256 --mpp 0.5 --unit microns --min-tissue 0.5",
}


def layout() -> NDArray[np.uint8]:
    """Return where a slide shows tissue, (1024, 1024), 255 inside."""
    field = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32), (0, 0), 12)
    mask = cv2.ellipse(np.zeros((1024, 1024), np.uint8), (512, 512), (400, 300), 20, 0, 360, 255, cv2.FILLED)
    mask[field > 1.5 * field.std()] = 0
    return mask


def pieces(side: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a level with so many pixels a side."""
    rng, mask = np.random.default_rng(1), layout()
    grain = cv2.GaussianBlur(rng.normal(size=(TEXTURE_PX, TEXTURE_PX, 1)).astype(np.float32), (0, 0), 2)[..., None]
    tissue = np.clip(np.array((190, 120, 175)) + 20 * grain / grain.std(), 0, 255).astype(np.uint8)
    across = -(-side // TILE_PX)
    for row in range(across):
        for column in range(across):
            top, left = rng.integers(0, TEXTURE_PX - TILE_PX, 2)
            x, y = ((np.arange(TILE_PX, dtype=np.float32) + i * TILE_PX) * 1024 / side for i in (column, row))
            inside = cv2.remap(mask, *np.meshgrid(x, y), cv2.INTER_LINEAR)[..., None] > 127
            yield np.where(inside, tissue[top : top + TILE_PX, left : left + TILE_PX], np.uint8(GLASS))


def write(path: Path, side: int, *, mpp: float, downsamples: tuple[int, ...]) -> Slide:
    """Write a square slide."""
    about = f"Aperio Image Library\n{side}x{side} ({TILE_PX}x{TILE_PX})|AppMag = {10 / mpp:g}|MPP = {mpp:g}"
    options: dict[str, Any] = {
        "dtype": np.uint8, "tile": (TILE_PX, TILE_PX), "compression": "jpeg", "compressionargs": {"level": 85},
        "photometric": "ycbcr", "subsampling": (2, 2), "description": about, "metadata": None, "software": False,
    }  # fmt: skip
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for factor in (1, *downsamples):
            level = side // factor
            file.write(pieces(level), shape=(level, level, 3), subfiletype=int(factor > 1), **options)
    return Slide(path.stem, "P", path, None)


def large(folder: Path, side: int) -> None:
    """Print the seconds that both stages take for one slide, opening and drawing it included."""
    print(f"{'slide':<40}{'tissue (s)':>12}{'tile (s)':>10}{'patches':>10}")
    for name, factor, mpp, downsamples in (
        ("20x, levels of 1, 4, 16", 1, 0.5, (4, 16)),
        ("20x, one level", 1, 0.5, ()),
        ("40x, levels of 1, 4, 16, 32", 2, 0.25, (4, 16, 32)),
    ):
        slide = write(folder / "large.svs", side * factor, mpp=mpp, downsamples=downsamples)
        seconds, manifests = [], [folder / "tissue.tsv", folder / "tile.tsv"]
        for stage, before, manifest in (
            (TissueStage(folder / "tissue", TISSUE), None, manifests[0]),
            (TileStage(folder / "tile", TILE), manifests[0], manifests[1]),
        ):
            runs = []
            for _ in range(RUNS):
                start = time.perf_counter()
                (row,) = run_shard(stage, Shard([slide], before, manifest, overwrite=True))
                runs.append(time.perf_counter() - start)
            seconds.append(min(runs))
        label = f"{side * factor} px, {name}"
        print(f"{label:<40}{seconds[0]:>12.2f}{seconds[1]:>10.2f}{row.count:>10}", flush=True)


def small(folder: Path, slides: int) -> None:
    """Print the seconds of small slides in one process, and in a process each."""
    for number in range(slides):
        write(folder / f"s{number}.svs", 2048, mpp=0.5, downsamples=(4,))
    seconds = []
    for name, groups in (("one", [range(slides)]), ("each", [range(i, i + 1) for i in range(slides)])):
        start = time.perf_counter()
        for number, group in enumerate(groups):
            sheet = folder / f"{name}{number}.csv"
            rows = "".join(f"s{i},P,s{i}.svs\n" for i in group)
            sheet.write_text("slide_id,patient_id,path\n" + rows)
            for stage in ("tissue", "tile"):
                manifest = folder / name / stage / f"{number}.tsv"
                upstream = f"--upstream {folder / name / 'tissue' / f'{number}.tsv'}" if stage == "tile" else ""
                command = (
                    f"{stage} --slides {sheet} --shard 0 --shards 1 --out {manifest.parent} --manifest {manifest}"
                    f" {upstream} {FLAGS[stage]}"
                )
                ccl = [sys.executable, "-c", "from ccl.cli import main; main()"]
                subprocess.run([*ccl, *command.split()], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    print(f"{slides} slides of 2048 px, tissue and tile: one process a stage {seconds[0]:.1f} s,", end=" ")
    print(f"a process for each slide {seconds[1]:.1f} s, {seconds[1] / seconds[0]:.1f} times as long")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_480, help="side of the 20x slides (px)")
    parser.add_argument("--slides", type=int, default=64, help="small slides")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        large(Path(name), args.side)
        small(Path(name), args.slides)


if __name__ == "__main__":
    main()
