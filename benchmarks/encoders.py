"""Every encoder built with random weights, one after another: width, parameters, and what a patch costs here.

    python benchmarks/encoders.py [--device cuda] [--batch-size 64] [NAME ...]

The arithmetic does not depend on the weights, so their absence changes no time.  Prints the table of docs/encoders.md;
the ratio is to `resnet50` in the same run.  The largest networks take 5 GB of memory, and most of a minute to build.
"""

from __future__ import annotations

import argparse
import time

import torch

from ccl.wsi.encoders import ENCODERS
from ccl.wsi.encoders.build import build_encoder


def seconds_per_patch(name: str, device: torch.device, batch_size: int) -> tuple[int, float, float]:
    """Return the width, the parameters (millions) and the time of one patch (s), the best of three batches."""
    model = build_encoder(ENCODERS[name], "random").to(device)
    patches = torch.randint(0, 256, (batch_size, 3, 256, 256), dtype=torch.uint8, device=device)
    times = []
    with torch.inference_mode():
        width = model(patches[:1]).shape[1]
        for _ in range(3):
            if device.type == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            model(patches).cpu()
            times.append(time.perf_counter() - start)
    return width, sum(p.numel() for p in model.backbone.parameters()) / 1e6, min(times) / batch_size


def main() -> None:
    """Measure the encoders named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch-size", type=int, default=2)
    options = parser.parse_args()
    device = torch.device(options.device)
    _, _, reference = seconds_per_patch("resnet50", device, options.batch_size)
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, {device.type}, {threads} threads, batches of {options.batch_size}\n")
    print("| encoder | width | parameters (M) | s/patch | to `resnet50` |\n|---|---|---|---|---|")
    for name in options.names or ENCODERS:
        width, millions, seconds = seconds_per_patch(name, device, options.batch_size)
        assert width == ENCODERS[name].dim
        print(f"| `{name}` | {width} | {millions:.1f} | {seconds:.3f} | {seconds / reference:.1f}x |", flush=True)


if __name__ == "__main__":
    main()
