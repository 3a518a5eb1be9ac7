"""Reading 20x patches: regions decoded directly against one OpenSlide call per patch, on the same patches.

    python benchmarks/reading.py [--side 20480] [--threads 2]

Each slide is made of random pieces of grain and written for the run: 20x with 256-px JPEG tiles, the same with patches
that lie across tiles, 40x that has to be halved, and 20x in JPEG 2000 (a quarter of the side).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import openslide
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ccl.io.formats import ManifestRow, Tiles
from ccl.io.shards import Job
from ccl.io.sheets import Slide
from ccl.wsi.embed.ahead import ReadAhead
from ccl.wsi.reader.by_openslide import CACHE_BYTES
from ccl.wsi.reader.direct import DirectReader

PATCH_PX, TILE_PX, TARGET_MPP = 256, 256, 0.5


def pieces(count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield so many tiles of a slide: pieces of a picture with detail of some pixels, as tissue has."""
    rng = np.random.default_rng(0)
    grain = cv2.GaussianBlur(rng.normal(size=(2048, 2048, 3)).astype(np.float32), (0, 0), 2)
    picture = np.clip(180 + 30 * grain / grain.std(), 0, 255).astype(np.uint8)
    for _ in range(count):
        y, x = rng.integers(0, 2048 - TILE_PX, 2)
        yield picture[y : y + TILE_PX, x : x + TILE_PX]


def write(path: Path, side: int, *, mpp: float, compression: str) -> None:
    """Write a square slide of one level."""
    jpeg = compression == "jpeg"
    colours = {"photometric": "ycbcr", "subsampling": (2, 2)} if jpeg else {"photometric": "rgb"}
    about = f"Aperio Image Library\n{side}x{side} ({TILE_PX}x{TILE_PX})|AppMag = {10 / mpp:g}|MPP = {mpp:g}"
    level = {"level": 85} if jpeg else {"level": 35, "reversible": False}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(
            pieces((-(-side // TILE_PX)) ** 2), shape=(side, side, 3), dtype=np.uint8, tile=(TILE_PX, TILE_PX),
            compression=compression, compressionargs=level, description=about, metadata=None, software=False, **colours,
        )  # fmt: skip


def tiles(slide: Slide, offset: int) -> Tiles:
    """Lay patches side by side over the whole slide."""
    with DirectReader(slide) as reader:
        side_px, width, height = PATCH_PX * TARGET_MPP / reader.mpp, *reader.dimensions
        corners = np.rint(np.arange(offset, width - side_px + 1, side_px)).astype(np.int64)
        coords = np.array([(x, y) for y in corners for x in corners])
        about = {"patch_size": PATCH_PX, "patch_size_level0": side_px, "level0_mpp": reader.mpp}
        size = {"level0_width": width, "level0_height": height}
        return Tiles(coords, about | size | {"target_mpp": TARGET_MPP, "name": slide.slide_id})


def per_patch(slide: Slide, laid: Tiles, most: int) -> tuple[float, int]:
    """Read the first `most` patches as most tools do; return seconds and patches."""
    side = round(laid.attributes["patch_size_level0"])
    coords = laid.coords[:most]
    with openslide.OpenSlide(slide.path) as file:
        file.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
        start = time.perf_counter()
        for x, y in coords.tolist():
            region = file.read_region((x, y), 0, (side, side)).convert("RGB")
            np.asarray(region if side == PATCH_PX else region.resize((PATCH_PX, PATCH_PX), Image.Resampling.BILINEAR))
        return time.perf_counter() - start, len(coords)


def as_embed(slide: Slide, laid: Tiles, threads: int) -> float:
    """Read every patch as the embed stage does, opening and trying the slide included; return seconds."""
    path = slide.path.with_suffix(".h5")
    laid.write(path, "tiles")
    job = Job(slide, ManifestRow(slide.slide_id, "ok", path, "tiles", len(laid.coords), ""), "key")
    start = time.perf_counter()
    ahead = ReadAhead([job], batch_size=64, threads=threads, pin=False)
    count = sum(len(batch.positions) for batch in ahead.batches(slide))
    ahead.stop()
    assert count == len(laid.coords)
    return time.perf_counter() - start


def main() -> None:
    """Time each kind of slide and print patches per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_480, help="side of the JPEG slides (px)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print(
        f"{'slide':<34}{'patches':>9}{'OpenSlide, each':>17}{'1 thread':>10}{f'{args.threads} threads':>11}{'ratio':>7}"
    )
    with tempfile.TemporaryDirectory() as folder:
        made: dict[str, Slide] = {}
        for name, compression, mpp, side, offset in (
            ("JPEG 20x, patches on tiles", "jpeg", 0.5, args.side, 0),
            ("JPEG 20x, patches off tiles", "jpeg", 0.5, args.side, 100),
            ("JPEG 40x, halved", "jpeg", 0.25, args.side, 0),
            ("JPEG 2000 20x, patches on tiles", "aperio_jp2000_rgb", 0.5, args.side // 4, 0),
        ):
            path = Path(folder) / f"{compression}-{mpp}.svs"
            if path.name not in made:
                write(path, side, mpp=mpp, compression=compression)
                made[path.name] = Slide(path.stem, "P", path, None)
            slide = made[path.name]
            laid = tiles(slide, offset)
            seconds, count = per_patch(slide, laid, most=1600)
            reference = count / seconds
            one, several = (len(laid.coords) / as_embed(slide, laid, threads) for threads in (1, args.threads))
            speeds = f"{reference:>17.0f}{one:>10.0f}{several:>11.0f}{several / reference:>7.1f}"
            print(f"{name:<34}{len(laid.coords):>9}{speeds}")


if __name__ == "__main__":
    main()
