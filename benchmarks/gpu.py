"""What a GPU makes of embedding and training, and what pays; some minutes on an H100.

    python benchmarks/gpu.py [--small] [encoders] [stage] [training]

``encoders``: three encoders of random weights on patches in the GPU's memory, in several ways; the share is of what
the GPU's data sheet promises of the format.  ``stage``: `ccl embed` on a synthetic slide of JPEG tiles.  ``training``:
steps of every method, the GPU against the CPU.  Without a GPU, or with ``--small``, the sizes are small and the numbers
say nothing but that all of it runs.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from blca import shape_for
from embedding import make_slide
from tifffile import TiffFile, TiffWriter
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ccl.config.sections import EmbedSettings
from ccl.data.bags import Bags
from ccl.data.patients import Side
from ccl.io.formats import Features, ManifestRow, Tiles, write_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.methods import METHODS, hyper, load
from ccl.methods.declaration import Recipe
from ccl.methods.interface import ClosedForm
from ccl.nn.replicas import Replicas
from ccl.train.loop import train_epoch
from ccl.train.optimisers import make_optimiser
from ccl.wsi.embed.stage import EmbedStage
from ccl.wsi.encoders import ENCODERS
from ccl.wsi.encoders.build import HALF, PatchEncoder, build_encoder
from ccl.wsi.encoders.pooling import POOLING

CPU = torch.device("cpu")
PATCH_PX = 256

PEAK = {"fp32": 66.9, "TF32": 494.7, "fp16": 989.4, "bf16": 989.4}
"""TFLOP/s of an H100 or H200 (SXM), dense, by NVIDIA's data sheets."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    batches: dict[str, tuple[int, tuple[int, ...]]]
    """By encoder the patches of a batch, and others that are tried the usual way."""
    columns: int
    """Tiles in a row of the slide, and rows."""
    embedded: dict[str, int]
    """By encoder the patches that the stage embeds."""
    bags: tuple[int, ...]


LARGE = Sizes(
    {"resnet50": (256, (64, 512)), "uni": (256, (64, 512)), "prov-gigapath": (128, (32, 64))},
    140,
    {"resnet50": 19_600, "uni": 12_800, "prov-gigapath": 4_096},
    (1_000, 15_000),
)
SMALL = Sizes({"resnet50": (4, (2,)), "hipt": (2, (1,))}, 4, {"resnet50": 16, "hipt": 4}, (50, 100))


@dataclass(frozen=True)
class Way:
    """A way to compute an encoder."""

    name: str
    format: str
    """fp32, TF32, fp16 or bf16: what the products are computed in."""
    channels_last: bool = False
    autotuned: bool = False
    half_weights: bool = False
    compiled: bool = False


CNN = (
    Way("fp32", "fp32"),
    Way("TF32", "TF32"),
    Way("TF32, channels last", "TF32", channels_last=True),
    Way("TF32, channels last, autotuned", "TF32", channels_last=True, autotuned=True),
    Way("fp16, channels last", "fp16", channels_last=True),
    Way("bf16, channels last", "bf16", channels_last=True),
    Way("TF32, channels last, compiled", "TF32", channels_last=True, compiled=True),
    Way("fp16, channels last, compiled", "fp16", channels_last=True, compiled=True),
)
VIT = (
    Way("fp32", "fp32"),
    Way("TF32", "TF32"),
    Way("bf16", "bf16"),
    Way("fp16", "fp16"),
    Way("fp16, weights too", "fp16", half_weights=True),
    Way("TF32, compiled", "TF32", compiled=True),
    Way("fp16, compiled", "fp16", compiled=True),
)


@contextmanager
def arithmetic(way: Way) -> Iterator[None]:
    """Compute as `way` says, as far as it is a matter of torch's own switches."""
    tf32, tuned, precision = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark, "highest"
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = way.format != "fp32", way.autotuned
    torch.set_float32_matmul_precision("highest" if way.format == "fp32" else "high")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = tf32, tuned
        torch.set_float32_matmul_precision(precision)


def build(name: str, device: torch.device) -> PatchEncoder:
    """Return an encoder whose random weights are drawn on the device, its layers' scales such that they count."""
    with device:
        model = build_encoder(ENCODERS[name], "random")
    for key, weight in model.named_parameters():
        if key.endswith(".gamma"):
            weight.data.fill_(1.0)
    return model


def prepare(model: PatchEncoder, way: Way) -> Callable[[Tensor], Tensor]:
    """Return a copy of the model that computes as `way` says."""
    made = copy.deepcopy(model)
    made.encoder = replace(model.encoder, precision=way.format if way.format in HALF else "fp32")
    made = made.to(memory_format=torch.channels_last if way.channels_last else torch.contiguous_format)
    if way.compiled:
        torch._dynamo.reset()
        # One layer compiled stands for all: it takes a tenth of the time that the whole network does.
        parts: Sequence[nn.Module] = getattr(made.backbone, "blocks", [made.backbone])
        for part in parts:
            part.compile()
    if not way.half_weights:
        return made
    half, made.backbone = HALF[way.format], made.backbone.to(HALF[way.format])
    return lambda patches: POOLING[made.encoder.pooling](made.backbone(made.pixels(patches).to(half)), made.prefix)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(call: Callable[[], Any], device: torch.device, repeats: int = 5) -> tuple[float, float]:
    """Return the seconds of the first call, and the median of some later ones."""
    times = []
    for _ in range(1 + repeats):
        synchronise(device)
        start = time.perf_counter()
        call()
        synchronise(device)
        times.append(time.perf_counter() - start)
    return times[0], float(np.median(times[1:]))


def flops(model: PatchEncoder, patches: Tensor) -> float:
    """Return the floating-point operations of products and convolutions for one patch."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(patches[:1])
    return float(counter.get_total_flops())


def encoders(device: torch.device, sizes: Sizes) -> None:
    """Print for each encoder how fast it is in all ways, the usual way at other sizes of batch too, and its input."""
    print("\n## Encoders on patches in the device's memory")
    for name, (batch, others) in sizes.batches.items():
        model = build(name, device)
        pixels = torch.randint(0, 256, (max(batch, *others), PATCH_PX, PATCH_PX, 3), dtype=torch.uint8, device=device)
        ways, usual = (CNN, CNN[2]) if ENCODERS[name].pooling == "map" else (VIT, VIT[0])
        usual = next((way for way in ways if way.name == ENCODERS[name].precision != "fp32"), usual)
        tried = [*((way, batch) for way in ways), *((usual, other) for other in others)]
        print_ways(model, pixels.permute(0, 3, 1, 2), tried)
        print_input(model, pixels[:batch])


def print_ways(model: PatchEncoder, patches: Tensor, tried: Sequence[tuple[Way, int]]) -> None:
    """Print how fast a model embeds batches of so many of the patches, and how far its features are from the first."""
    work = flops(model, patches)
    print(f"\n`{model.encoder.name}`, {work / 1e9:.1f} GFLOP a patch, {model.encoder.precision} in the registry\n")
    print("| way | batch | patches/s | TFLOP/s | of the peak | difference to fp32 | first call, s |")
    print("|---|---|---|---|---|---|---|")
    expected = None
    for way, count in tried:
        embed = prepare(model, way)
        with arithmetic(way), torch.inference_mode():
            first, each = seconds(partial(embed, patches[:count]), patches.device)
            found = embed(patches[:count]).float()
        expected = found if expected is None else expected
        alike = min(len(found), len(expected))
        apart = float((found[:alike] - expected[:alike]).norm() / expected[:alike].norm())
        speed = count * work / each / 1e12
        share = f"{speed / PEAK[way.format]:.0%}" if patches.is_cuda else "-"
        columns = (way.name, count, f"{count / each:.0f}", f"{speed:.1f}", share, f"{apart:.1e}", f"{first:.1f}")
        print("|", " | ".join(map(str, columns)), "|", flush=True)


def print_input(model: PatchEncoder, pixels: Tensor) -> None:
    """Print how long it takes to bring a batch (B, H, W, 3) to the device and to resize and normalise it there."""
    device, host = pixels.device, pixels.cpu()
    pinned = host.pin_memory() if pixels.is_cuda else host
    with torch.inference_mode():
        alone = seconds(partial(model.pixels, pixels.permute(0, 3, 1, 2)), device)[1]
    copied = [1e3 * seconds(partial(batch.to, device), device)[1] for batch in (host, pinned)]
    print(
        f"\nof a batch of {len(pixels)}: resizing and normalising {1e3 * alone:.2f} ms; copying to the device "
        f"{copied[0]:.2f} ms, from pinned memory {copied[1]:.2f} ms",
        flush=True,
    )


def large_slide(folder: Path, columns: int) -> Path:
    """Write a slide of `columns` by `columns` JPEG tiles, 64 different ones over and over."""
    few, _ = make_slide(folder, "tiles", 64)
    with TiffFile(few.path) as file:
        page = file.pages[0]
        data = few.path.read_bytes()
        tiles = [data[at : at + n] for at, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    path, side = folder / "large.tif", columns * PATCH_PX
    with TiffWriter(path, bigtiff=True) as file:
        file.write(
            (tiles[(17 * number) % 64] for number in range(columns**2)), shape=(side, side, 3), dtype="uint8",
            tile=(PATCH_PX, PATCH_PX), photometric="rgb", compression="jpeg",
        )  # fmt: skip
    return path


def stage(device: torch.device, sizes: Sizes) -> None:
    """Print what `ccl embed` makes of a slide, by encoder, batch size and threads."""
    print("\n## The stage on a slide of JPEG tiles\n")
    print("| encoder | um/px | batch | threads | patches | patches/s | the device waited |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        slide = large_slide(Path(name), sizes.columns)
        for encoder, count in sizes.embedded.items():
            model = build(encoder, device)
            model = model.to(memory_format=model.memory_format)
            most, others = sizes.batches[encoder]
            ways = [(0.5, others[0], 4), (0.5, most, 4)]
            ways += [(0.5, most, 16), (0.25, most, 4), (0.25, most, 16)] * (encoder == "resnet50")
            with torch.inference_mode():  # loads the kernels
                model(torch.zeros(most, 3, PATCH_PX, PATCH_PX, dtype=torch.uint8, device=device))
            for number, (mpp, batch, threads) in enumerate(ways):
                torch.set_num_threads(threads)
                folder = Path(name, encoder, str(number))
                settings = EmbedSettings(encoder, "random", None, "float16")
                made = EmbedStage(folder / "embed", settings, batch, device, threads)
                made.model = model
                run_shard(made, patches_of(slide, folder, sizes.columns, mpp=mpp, count=count))
                speed, waited = made.meter.patches / made.meter.seconds, made.meter.waited / made.meter.seconds
                columns = (encoder, mpp, batch, threads, made.meter.patches, f"{speed:.0f}", f"{waited:.1%}")
                print("|", " | ".join(map(str, columns)), "|", flush=True)


def patches_of(path: Path, folder: Path, columns: int, *, mpp: float, count: int) -> Shard:
    """Return the shard of one slide with at most `count` patches of 128 um."""
    step = round(PATCH_PX * 0.5 / mpp)
    across = columns * PATCH_PX // step
    coords = [(i % across * step, i // across * step) for i in range(min(count, across**2))]
    about = {"patch_size": PATCH_PX, "patch_size_level0": step, "level0_mpp": mpp, "target_mpp": 0.5, "name": "large"}
    size = {"level0_width": columns * PATCH_PX, "level0_height": columns * PATCH_PX}
    tiles, upstream = folder / "tile" / "large.h5", folder / "tile" / "manifest.tsv"
    Tiles(np.array(coords), about | size).write(tiles, "tiles")
    write_manifest(upstream, [ManifestRow("large", "ok", tiles, "tiles", len(coords), "")])
    return Shard([Slide("large", "P", path, mpp)], upstream, folder / "embed" / "manifest.tsv")


def training(device: torch.device, sizes: Sizes) -> None:
    """Print the training steps a second of every method, on the CPU and on the device, by the patches of a bag."""
    print(f"\n## Training steps a second; CPU: {torch.multiprocessing.cpu_count()} threads\n")
    heads = [f"{n:,} patches: CPU | {device.type} | times as fast | GPU memory, GiB" for n in sizes.bags]
    print("| method |", " | ".join(heads), "|\n|---|" + "---|" * (4 * len(heads)))
    torch.set_num_threads(torch.multiprocessing.cpu_count())
    with tempfile.TemporaryDirectory() as folder:
        rows = {count: write_bags(Path(folder), count) for count in sizes.bags}
        for name in METHODS:
            if issubclass(load(name).Model, ClosedForm):
                continue
            reads_bags = "bags" in METHODS[name].reads
            cells: list[str] = []
            for count in sizes.bags if reads_bags else sizes.bags[:1]:
                slow, _ = steps_per_second(name, rows[count], CPU, steps=2 if reads_bags else 8)
                fast, memory = steps_per_second(name, rows[count], device, steps=8)
                cells += [f"{slow:.1f}", f"{fast:.1f}", f"{fast / slow:.1f}", f"{memory:.2f}"]
            cells += ["the same"] * (0 if reads_bags else 4 * (len(sizes.bags) - 1))
            print("|", " | ".join([name, *cells]), "|", flush=True)


def write_bags(folder: Path, count: int) -> list[ManifestRow]:
    """Write the features of eight patients with `count` patches each."""
    rows, rng = [], np.random.default_rng(0)
    for number in range(8):
        path = folder / f"{count}.{number}.h5"
        features = rng.standard_normal((count, 1024), np.float32).astype(np.float16)
        Features(features, np.zeros((count, 2), np.int64), "resnet50", "random", {}).write(path, "key")
        rows.append(ManifestRow(path.stem, "ok", path, "key", count, ""))
    return rows


def steps_per_second(
    name: str, rows: Sequence[ManifestRow], device: torch.device, *, steps: int
) -> tuple[float, float]:
    """Return the steps a second of the training loop, bags kept in memory, and the peak of the GPU's memory (GiB)."""
    shape, reads, replicas, many = shape_for(METHODS[name]), METHODS[name].reads, Replicas((0,), device), len(rows)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = load(name).Model(shape, hyper(name, {}), replicas).to(device)
    side = Side(
        patients=tuple(row.slide_id for row in rows),
        months=np.linspace(5, 60, many),
        censorship=np.zeros(many, np.int64),
        genomics=tuple(torch.randn(many, size, device=device) for size in shape.families),
        centres=torch.randn(many, shape.clusters, shape.features, device=device) if "clusters" in reads else None,
        bags=Bags([[row] for row in rows], device=device, keep=True) if "bags" in reads else None,
        device=device,
    )
    outcomes = side.outcomes(np.array([0.0, 10.0, 25.0, 40.0, 70.0]))
    model.begin(outcomes)
    optimiser = make_optimiser(model, Recipe("sgd", 1e-3, 1e-5, epochs=1), steps=many, bags=side.bags is not None)

    def some() -> None:
        train_epoch(model, optimiser, side, outcomes=outcomes, orders=torch.arange(steps, device=device)[None])

    _, each = seconds(some, device, repeats=1 if device == CPU else 3)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
    return steps / each, memory


def main() -> None:
    """Run the parts that are asked for."""
    parts = {"encoders": encoders, "stage": stage, "training": training}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    parser.add_argument("--small", action="store_true", help="small sizes, to see that it runs")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    small = options.small or device == CPU
    named = torch.cuda.get_device_name() if device.type == "cuda" else "no GPU: the CPU in its place"
    print(f"{named}, torch {torch.__version__}{', small sizes, of which the numbers mean nothing' if small else ''}")
    for part in options.parts or parts:
        start = time.perf_counter()
        parts[part](device, SMALL if small else LARGE)
        print(f"\n{part}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
