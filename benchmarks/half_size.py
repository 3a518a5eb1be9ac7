"""How patches differ between `embed: decode: exact` and `half`, in grey levels and in features.

    python benchmarks/half_size.py [SLIDE] [--ratio 2] [--patches 40]

SLIDE is a slide of JPEG tiles; without it, one of grain is written, which has far more colour detail than tissue.  Its
finest level is taken for twice (`--ratio` times) as fine as the patches, whatever its scale.  A slide at 20x has more
detail per pixel than one at 40x, so the differences are an upper bound.  Features are those of ResNet-50 with random
weights.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from reading import write

from ccl.io.formats import Tiles
from ccl.io.sheets import Slide
from ccl.wsi.encoders import get_encoder
from ccl.wsi.encoders.build import build_encoder
from ccl.wsi.reader.opening import open_slide
from ccl.wsi.reader.patches import patches

SIDE = 256


def read(path: Path, *, ratio: float, most: int, halve: bool) -> NDArray[np.uint8]:
    """Return patches side by side from the upper left corner of a slide."""
    with open_slide(Slide(path.stem, "P", path, None), halve=halve) as reader:
        side, (width, height) = SIDE * ratio, reader.dimensions
        corners = [
            (round(x), round(y))
            for y in np.arange(0, height - side, side).tolist()
            for x in np.arange(0, width - side, side).tolist()
        ]
        about = {"patch_size_level0": side, "level0_mpp": reader.mpp, "level0_width": width, "level0_height": height}
        cut = np.empty((len(corners[:most]), SIDE, SIDE, 3), np.uint8)
        for block in patches(reader, Tiles(np.array(corners[:most]), about), SIDE):
            cut[block.positions] = block.pixels
        return cut


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("--ratio", type=float, default=2.0, help="pixels of the level per pixel of the patch")
    parser.add_argument("--patches", type=int, default=40)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(args.slide or grain(Path(folder) / "grain.svs"), args)


def grain(path: Path) -> Path:
    """Write a slide of 40x, and return its path."""
    write(path, 4096, mpp=0.25, compression="jpeg")
    return path


def compare(slide: Path, args: argparse.Namespace) -> None:
    """Print the differences on one slide."""
    exact, half = (read(slide, ratio=args.ratio, most=args.patches, halve=halve) for halve in (False, True))
    grey = np.abs(exact.astype(int) - half)
    print(f"{len(exact)} patches, ratio {args.ratio:g}: grey levels differ by {grey.mean():.2f} in the mean,", end=" ")
    print(f"99.9 % by at most {np.quantile(grey, 0.999):.0f}, all by at most {grey.max()}")
    torch.manual_seed(0)
    model = build_encoder(get_encoder("resnet50"), "random")
    with torch.inference_mode():
        first, second = (model(torch.from_numpy(pixels).permute(0, 3, 1, 2)) for pixels in (exact, half))
    cosine = torch.cosine_similarity(first, second)
    others = torch.cosine_similarity(first, first.roll(1, 0))
    print(f"cosine of the features: mean {cosine.mean():.6f}, least {cosine.min():.6f};", end=" ")
    print(f"of different patches: mean {others.mean():.4f}")


if __name__ == "__main__":
    main()
