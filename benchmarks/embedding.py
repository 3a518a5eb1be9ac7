"""The embed stage against what it cannot go below: the bare model on the same patches, already in memory.

    python benchmarks/embedding.py [--patches 256] [--threads 2] [--slides 16]

Prints the worker's overhead over the bare model (resnet50 with random weights), the share of the time that the device
waited, and small slides embedded in one shard against one process for each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import tifffile
import torch

from ccl.config.sections import EmbedSettings
from ccl.io.formats import ManifestRow, Tiles, write_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.embed.stage import EmbedStage

PATCH_PX = 256
SETTINGS = EmbedSettings("resnet50", "random", None, "float32")


def make_slide(folder: Path, name: str, patches: int) -> tuple[Slide, ManifestRow]:
    """Write a slide of so many patches in a row of 16, and their tiles."""
    columns = min(16, patches)
    width, height = columns * PATCH_PX, -(-patches // columns) * PATCH_PX
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(height, width, 3)).astype(np.float32), (0, 0), 2)
    image = np.clip(180 + 30 * grain / grain.std(), 0, 255).astype(np.uint8)
    tifffile.imwrite(folder / f"{name}.tif", image, tile=(256, 256), photometric="rgb", compression="jpeg")
    coords = np.array([(i % columns * PATCH_PX, i // columns * PATCH_PX) for i in range(patches)])
    about = {"patch_size": PATCH_PX, "patch_size_level0": PATCH_PX, "level0_mpp": 0.5, "target_mpp": 0.5}
    tiles = folder / "tile" / f"{name}.h5"
    Tiles(coords, about | {"level0_width": width, "level0_height": height, "name": name}).write(tiles, "tiles")
    return Slide(name, "P", folder / f"{name}.tif", 0.5), ManifestRow(name, "ok", tiles, "tiles", patches, "")


def overhead(folder: Path, patches: int, batch_size: int, threads: int) -> None:
    """Time the stage and the bare model on the patches of one slide."""
    slide, row = make_slide(folder, "large", patches)
    write_manifest(folder / "tile/manifests/0.tsv", [row])
    stage = EmbedStage(folder / "embed", SETTINGS, batch_size, torch.device("cpu"), threads)
    model = stage.model
    batch = torch.randint(0, 256, (batch_size, PATCH_PX, PATCH_PX, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    with torch.inference_mode():
        model(batch)  # what the first call alone costs belongs to neither
    start = time.perf_counter()
    run_shard(stage, Shard([slide], folder / "tile/manifests/0.tsv", folder / "embed/manifests/0.tsv"))
    ours = time.perf_counter() - start
    start = time.perf_counter()
    with torch.inference_mode():
        for _ in range(patches // batch_size):
            model(batch)
    bare = time.perf_counter() - start
    share = stage.meter.waited / stage.meter.seconds
    print(f"{patches} patches: bare model {patches / bare:.2f}/s, stage {patches / ours:.2f}/s")
    print(f"overhead {ours / bare - 1:+.1%}; the device waited {share:.1%} of the time")


def shards(folder: Path, slides: int, threads: int) -> None:
    """Time small slides in one process, and in a process each."""
    made = [make_slide(folder, f"small{i}", patches=4) for i in range(slides)]
    sheet = folder / "slides.csv"
    columns = ["slide_id", "patient_id", "path", "mpp"]
    pd.DataFrame([(s.slide_id, "P", s.path.name, s.mpp) for s, _ in made], columns=columns).to_csv(sheet, index=False)
    seconds = []
    for name, groups in (("one", [made]), ("each", [[one] for one in made])):
        start = time.perf_counter()
        for number, group in enumerate(groups):
            upstream, out = folder / f"tile/manifests/{name}{number}.tsv", folder / f"embed-{name}"
            write_manifest(upstream, [row for _, row in group])
            own = folder / f"{name}{number}.csv"
            table = pd.read_csv(sheet)
            table[table["slide_id"].isin([s.slide_id for s, _ in group])].to_csv(own, index=False)
            command = (
                f"embed --slides {own} --upstream {upstream} --shard 0 --shards 1 --out {out} --manifest {out}/m.tsv"
            )
            options = f"--encoder resnet50 --weights random --dtype float32 --device cpu --threads {threads}"
            ccl = [sys.executable, "-c", "from ccl.cli import main; main()"]
            subprocess.run([*ccl, *command.split(), *options.split()], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    print(f"{slides} slides of 4 patches: one process {seconds[0]:.1f} s, a process each {seconds[1]:.1f} s,", end=" ")
    print(f"{seconds[1] / seconds[0]:.1f} times as long")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slides", type=int, default=16)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as name:
        overhead(Path(name), args.patches, args.batch_size, args.threads)
        shards(Path(name), args.slides, args.threads)


if __name__ == "__main__":
    main()
