"""The embed stage against what it cannot go below: the bare model on the same patches, already in memory.

    python benchmarks/embedding.py [--patches 256] [--threads 2] [--slides 16] [--batch-size 32] [--device cuda]

Prints the worker's overhead over the bare model (resnet50 with random weights), the share of the time that the device
waited, and small slides embedded in one shard against one process for each.

    python benchmarks/embedding.py --readers 1 2 4 8 16 [--batch-size 256] [--device cuda]

Prints instead how many patches a second reach an encoder that takes no time, for each number of threads: the fastest
device that reading can feed.  Patches are copied to the device all the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import tifffile
import torch
from reading import pieces, tiles, write
from torch import Tensor, nn

from ccl.config.sections import EmbedSettings
from ccl.io.formats import ManifestRow, Tiles, write_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.embed.stage import EmbedStage
from ccl.wsi.encoders import get_encoder
from ccl.wsi.reader import direct

PATCH_PX = 256
SETTINGS = EmbedSettings("resnet50", "random", None, "float32")

READ_SIDE_PX, READ_SLIDES = 12_288, 8
"""Of the slides that the readers are timed on."""


class NoTime(nn.Module):
    """An encoder that takes no time."""

    def forward(self, patches: Tensor) -> Tensor:
        """Return zeros."""
        return patches.new_zeros((len(patches), get_encoder(SETTINGS.encoder).dim), dtype=torch.float32)


def make_slide(folder: Path, name: str, patches: int) -> tuple[Slide, ManifestRow]:
    """Write a slide of so many patches in rows of 16, and their tiles."""
    columns = min(16, patches)
    rows = -(-patches // columns)
    width, height = columns * PATCH_PX, rows * PATCH_PX
    tifffile.imwrite(
        folder / f"{name}.tif", pieces(columns * rows), shape=(height, width, 3), dtype=np.uint8,
        tile=(PATCH_PX, PATCH_PX), photometric="rgb", compression="jpeg",
    )  # fmt: skip
    coords = np.array([(i % columns * PATCH_PX, i // columns * PATCH_PX) for i in range(patches)])
    about = {"patch_size": PATCH_PX, "patch_size_level0": PATCH_PX, "level0_mpp": 0.5, "target_mpp": 0.5}
    laid = Tiles(coords, about | {"level0_width": width, "level0_height": height, "name": name})
    return Slide(name, "P", folder / f"{name}.tif", 0.5), write_tiles(folder, name, laid)


def write_tiles(folder: Path, name: str, laid: Tiles) -> ManifestRow:
    """Write the tiles of a slide, and return its row of the manifest."""
    path = folder / "tile" / f"{name}.h5"
    laid.write(path, "tiles")
    return ManifestRow(name, "ok", path, "tiles", len(laid.coords), "")


def run(stage: EmbedStage, slides: Sequence[Slide], rows: Iterable[ManifestRow]) -> float:
    """Embed slides as one shard, all of them anew; return seconds."""
    upstream = stage.out.parent / "tile/manifests/0.tsv"
    write_manifest(upstream, rows)
    start = time.perf_counter()
    run_shard(stage, Shard(slides, upstream, stage.out / "manifests/0.tsv", overwrite=True))
    return time.perf_counter() - start


def overhead(folder: Path, patches: int, batch_size: int, threads: int, device: torch.device) -> None:
    """Time the stage and the bare model on the patches of one slide."""
    slide, row = make_slide(folder, "large", patches)
    stage = EmbedStage(folder / "embed", SETTINGS, batch_size, device, threads)
    batch = torch.randint(0, 256, (batch_size, PATCH_PX, PATCH_PX, 3), dtype=torch.uint8)
    batch = batch.pin_memory() if device.type == "cuda" else batch

    def bare() -> None:
        stage.model(batch.to(device, non_blocking=True).permute(0, 3, 1, 2)).cpu()

    with torch.inference_mode():
        bare()  # what the first call alone costs belongs to neither
    ours = run(stage, [slide], [row])
    start = time.perf_counter()
    with torch.inference_mode():
        for _ in range(patches // batch_size):
            bare()
    alone = time.perf_counter() - start
    share = stage.meter.waited / stage.meter.seconds
    print(f"{patches} patches: bare model {patches / alone:.2f}/s, stage {patches / ours:.2f}/s")
    print(f"overhead {ours / alone - 1:+.1%}; the device waited {share:.1%} of the time")


def readers(folder: Path, counts: Sequence[int], batch_size: int, device: torch.device) -> None:
    """Time the stage with an encoder that takes no time, with each number of threads."""
    cv2.setNumThreads(1)
    print(f"{'slides':<24}{'threads':>8}{'patches/s':>11}{'ratio':>7}{'CPU ms/patch':>14}")
    vendors = direct.TILED_VENDORS
    for kind, mpp, vendors_read in (
        ("JPEG 20x", 0.5, vendors),
        ("JPEG 40x, halved", 0.25, vendors),
        ("JPEG 20x by OpenSlide", 0.5, ()),
    ):
        direct.TILED_VENDORS = vendors_read
        file = folder / f"{mpp}.svs"
        if not file.exists():
            write(file, READ_SIDE_PX, mpp=mpp, compression="jpeg")
        slides = [Slide(f"{mpp}-{number}", "P", file, None) for number in range(READ_SLIDES)]
        laid = tiles(slides[0], offset=100)
        rows = [write_tiles(folder, slide.slide_id, laid) for slide in slides]
        first = 0.0
        for threads in counts:
            stage = EmbedStage(folder / "embed", replace(SETTINGS, dtype="float16"), batch_size, device, threads)
            stage.model = NoTime()
            cpu = time.process_time()
            speed = len(laid.coords) * len(slides) / run(stage, slides, rows)
            first = first or speed
            used = 1000 * (time.process_time() - cpu) / (len(laid.coords) * len(slides))
            print(f"{kind:<24}{threads:>8}{speed:>11.0f}{speed / first:>7.1f}{used:>14.2f}", flush=True)
    direct.TILED_VENDORS = vendors


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
    """Run both comparisons, or time the readers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slides", type=int, default=16)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--readers", type=int, nargs="+", metavar="THREADS")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    with tempfile.TemporaryDirectory() as name:
        if args.readers:
            readers(Path(name), args.readers, args.batch_size, device)
        else:
            overhead(Path(name), args.patches, args.batch_size, args.threads, device)
            shards(Path(name), args.slides, args.threads)


if __name__ == "__main__":
    main()
