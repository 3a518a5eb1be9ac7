"""Reading 20x patches: regions decoded directly against one OpenSlide call per patch, on the same patches.

    python benchmarks/reading.py [--side 20480] [--threads 2]

Each slide is made of random pieces of grain and written for the run: 20x with 256-px JPEG tiles, the same with patches
that lie across tiles, 40x that has to be halved, the same by `embed: decode: half`, and 20x in JPEG 2000 (a quarter of
the side).  Processor time per patch is given too: on a busy machine only that means something.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import openslide
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ccl.config.sections import Patches
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


class Speed(NamedTuple):
    """How fast patches were read."""

    per_s: float
    cpu_ms: float
    """Processor time per patch, of all threads."""

    @classmethod
    @contextmanager
    def of(cls, count: int, into: list[Speed]) -> Iterator[None]:
        """Time the reading of `count` patches."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        into.append(cls(count / wall, 1000 * cpu / count))


def per_patch(slide: Slide, laid: Tiles, most: int, into: list[Speed]) -> None:
    """Read the first `most` patches as most tools do."""
    side = round(laid.attributes["patch_size_level0"])
    coords = laid.coords[:most]
    with openslide.OpenSlide(slide.path) as file:
        file.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
        with Speed.of(len(coords), into):
            for x, y in coords.tolist():
                region = file.read_region((x, y), 0, (side, side)).convert("RGB")
                if side != PATCH_PX:
                    region = region.resize((PATCH_PX, PATCH_PX), Image.Resampling.BILINEAR)
                np.asarray(region)


def as_embed(slide: Slide, laid: Tiles, threads: int, patches: Patches, into: list[Speed]) -> None:
    """Read every patch as the embed stage does, opening and trying the slide included."""
    path = slide.path.with_suffix(".h5")
    laid.write(path, "tiles")
    job = Job(slide, ManifestRow(slide.slide_id, "ok", path, "tiles", len(laid.coords), ""), "key")
    with Speed.of(len(laid.coords), into):
        ahead = ReadAhead([job], batch_size=64, threads=threads, pin=False, patches=patches)
        count = sum(len(batch.positions) for batch in ahead.batches(slide))
        ahead.stop()
    assert count == len(laid.coords)


def main() -> None:
    """Time each kind of slide and print patches per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_480, help="side of the JPEG slides (px)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{'':<34}{'':>9}{'patches/s':^36}{'':>7}{'ms of processor time':^30}")
    columns = f"{'OpenSlide':>12}{'1 thread':>12}{f'{args.threads} threads':>12}"
    print(f"{'slide':<34}{'patches':>9}{columns}{'ratio':>7}{'OpenSlide':>15}{'1 thread':>15}")
    with tempfile.TemporaryDirectory() as folder:
        made: dict[str, Slide] = {}
        for name, compression, mpp, side, offset, decode in (
            ("JPEG 20x, patches on tiles", "jpeg", 0.5, args.side, 0, "exact"),
            ("JPEG 20x, patches off tiles", "jpeg", 0.5, args.side, 100, "exact"),
            ("JPEG 40x, halved", "jpeg", 0.25, args.side, 0, "exact"),
            ("JPEG 40x, decoded at half size", "jpeg", 0.25, args.side, 0, "half"),
            ("JPEG 2000 20x, patches on tiles", "aperio_jp2000_rgb", 0.5, args.side // 4, 0, "exact"),
        ):
            path = Path(folder) / f"{compression}-{mpp}.svs"
            if path.name not in made:
                write(path, side, mpp=mpp, compression=compression)
                made[path.name] = Slide(path.stem, "P", path, None)
            slide = made[path.name]
            laid = tiles(slide, offset)
            found: list[Speed] = []
            per_patch(slide, laid, 1600, found)
            for threads in (1, args.threads):
                as_embed(slide, laid, threads, Patches(decode=decode), found)
            each, one, several = found
            speeds = f"{each.per_s:>12.0f}{one.per_s:>12.0f}{several.per_s:>12.0f}{several.per_s / each.per_s:>7.1f}"
            print(f"{name:<34}{len(laid.coords):>9}{speeds}{each.cpu_ms:>15.2f}{one.cpu_ms:>15.2f}", flush=True)


if __name__ == "__main__":
    main()
