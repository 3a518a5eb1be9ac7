"""The embed stage on the GPU: the CPU's features, also when the GPU's memory does not hold a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from ccl.config.sections import EmbedSettings
from ccl.io.formats import Features, ManifestRow, Tiles, write_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.embed.stage import EmbedStage
from tests.gpu.conftest import difference
from tests.gpu.test_encoders import TOLERANCE

RESIZED = 5e-3
"""Of features of patches that both have resized, which rounds to whole grey levels here and there."""

SIDE = 8
"""Patches in a row, and in a column."""


@pytest.fixture
def shard(tmp_path: Path, write_slide: Callable[..., Slide]) -> Shard:
    """A slide whose patches all look different."""
    rng, side = np.random.default_rng(0), 256 * SIDE
    colours = rng.integers(40, 216, (SIDE, SIDE, 3)).repeat(256, axis=0).repeat(256, axis=1)
    slide = write_slide((colours + rng.integers(-40, 40, (side, side, 3))).astype(np.uint8), sheet_mpp=0.5)
    coords = 256 * np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2)
    about = {"patch_size": 256, "patch_size_level0": 256, "level0_mpp": 0.5, "target_mpp": 0.5}
    tiles = tmp_path / "tile" / "slide.h5"
    Tiles(coords, about | {"level0_width": side, "level0_height": side, "name": "slide"}).write(tiles, "tiles")
    upstream = tmp_path / "tile" / "manifests" / "0.tsv"
    write_manifest(upstream, [ManifestRow("slide", "ok", tiles, "tiles", len(coords), "")])
    return Shard([slide], upstream, tmp_path / "embed" / "manifests" / "0.tsv")


def embed(shard: Shard, encoder: str, device: torch.device, folder: Path, batch_size: int) -> EmbedStage:
    settings = EmbedSettings(encoder, "random", None, "float32")
    stage = EmbedStage(folder / device.type / str(batch_size), settings, batch_size, device, threads=4)
    assert next(stage.model.parameters()).device.type == device.type
    return stage


def features(stage: EmbedStage, shard: Shard) -> torch.Tensor:
    (row,) = run_shard(stage, shard)
    return torch.from_numpy(Features.read(row.path).features)


@contextmanager
def memory(gpu: torch.device, more: int) -> Iterator[None]:
    """Allow this process `more` bytes of the GPU's memory than it uses now."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(gpu).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + more) / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.usefixtures("all_threads")
def test_the_stage_stores_the_features_of_the_cpu(shard: Shard, gpu: torch.device, tmp_path: Path) -> None:
    expected = features(embed(shard, "resnet50", torch.device("cpu"), tmp_path, 16), shard)
    found = features(embed(shard, "resnet50", gpu, tmp_path, 24), shard)
    apart = difference(found, expected), difference(found - found.mean(dim=0), expected - expected.mean(dim=0))
    print(f"features {apart[0]:.1e} apart, what tells patches from each other {apart[1]:.1e}")
    assert apart[0] < RESIZED
    assert apart[1] < 10 * RESIZED


@pytest.mark.parametrize("encoder", ["resnet50", "hipt"])
def test_a_batch_that_does_not_fit_is_halved(
    shard: Shard, gpu: torch.device, tmp_path: Path, encoder: str, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = features(embed(shard, encoder, gpu, tmp_path, 4), shard)
    stage = embed(shard, encoder, gpu, tmp_path, SIDE * SIDE)
    with memory(gpu, more=160 * 2**20):
        found = features(stage, shard)
    assert "embed: the device's memory is full; batches of" in capfd.readouterr().err
    assert 1 <= stage.batch_size < SIDE * SIDE
    apart = difference(found, expected)
    print(f"batches of {stage.batch_size} instead of {SIDE * SIDE}, features {apart:.1e} apart")
    assert apart < TOLERANCE["fp32"]
