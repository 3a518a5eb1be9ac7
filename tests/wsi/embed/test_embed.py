"""The embed stage on a real slide: order, storage, labels, and what makes it run again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from ccl.config.sections import EmbedSettings
from ccl.io.errors import ConfigError, StageError
from ccl.io.formats import Features, ManifestRow, Tiles, read_manifest, write_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.embed.stage import EmbedStage
from ccl.wsi.encoders import get_encoder
from ccl.wsi.encoders.build import build_encoder
from ccl.wsi.reader.opening import slide_fingerprint

SETTINGS = EmbedSettings("resnet50", "random", None, "float32")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Four 256-px patches of distinct colour and texture, side by side."""
    noise = np.random.default_rng(0).integers(0, 40, (256, 1024, 3))
    colours = np.repeat(np.array([[200, 60, 120], [90, 50, 160], [240, 200, 220], [30, 90, 30]]), 256, axis=0)
    return np.clip(colours[None] + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def shard(tmp_path: Path, pixels: np.ndarray) -> Shard:
    tifffile.imwrite(tmp_path / "S.tif", pixels, tile=(256, 256), photometric="rgb")
    attributes = {
        "patch_size": 256,
        "patch_size_level0": 256.0,
        "level0_mpp": 0.5,
        "target_mpp": 0.5,
        "level0_width": 1024,
        "level0_height": 256,
        "name": "S",
    }
    Tiles(np.array([[768, 0], [0, 0], [256, 0]]), attributes).write(tmp_path / "tile" / "S.h5", "tiles")
    upstream = tmp_path / "tile" / "manifests" / "0.tsv"
    write_manifest(upstream, [ManifestRow("S", "ok", tmp_path / "tile" / "S.h5", "tiles", 3, "")])
    slide = Slide("S", "P", tmp_path / "S.tif", 0.5)
    return Shard([slide], upstream, tmp_path / "embed" / "manifests" / "0.tsv")


def stage(shard: Shard, settings: EmbedSettings = SETTINGS, batch_size: int = 2) -> EmbedStage:
    return EmbedStage(shard.manifest.parent.parent, settings, batch_size, torch.device("cpu"), threads=2)


def test_each_patch_is_embedded_where_its_tile_lies(shard: Shard, pixels: np.ndarray) -> None:
    (row,) = run_shard(stage(shard), shard)
    features = Features.read(row.path)
    assert (row.count, features.weights, features.encoder) == (3, "random", "resnet50")
    assert features.attributes["level0_mpp"] == 0.5
    np.testing.assert_array_equal(features.coords, [[768, 0], [0, 0], [256, 0]])
    model = build_encoder(get_encoder("resnet50"), "random")
    cut = np.stack([pixels[:, x : x + 256] for x in (768, 0, 256)])
    with torch.inference_mode():
        expected = model(torch.from_numpy(cut).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(features.features, expected, rtol=1e-3, atol=1e-4)


def test_a_finished_slide_is_kept_until_something_it_depends_on_changes(shard: Shard) -> None:
    (row,) = run_shard(stage(shard), shard)
    made = row.path.stat().st_mtime_ns
    (again,) = run_shard(stage(shard, batch_size=1), shard)
    assert (again.key, again.path.stat().st_mtime_ns, again.count) == (row.key, made, 3)
    (half,) = run_shard(stage(shard, replace(SETTINGS, dtype="float16")), shard)
    assert half.key != row.key
    assert Features.read(half.path).features.dtype == np.float16
    assert shard.upstream is not None
    (tiles,) = read_manifest(shard.upstream)
    write_manifest(shard.upstream, [replace(tiles, key="other tiles")])
    with pytest.raises(StageError, match="not the one that its manifest lists"):
        run_shard(stage(shard), shard)
    found = Tiles.read(tiles.path)
    found.write(tiles.path, "other tiles")
    (moved,) = run_shard(stage(shard), shard)
    assert moved.key not in (row.key, half.key)


def test_a_slide_that_vanished_fails_even_if_bad_slides_are_excluded(shard: Shard) -> None:
    path = shard.slides[0].path
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(StageError, match="S: the slide was outlined, and is gone"):
        run_shard(stage(shard), replace(shard, on_bad_slide="exclude"))
    assert not shard.manifest.exists()
    assert not (shard.manifest.parent.parent / "S.h5").exists()
    path.write_bytes(content)
    assert [row.status for row in run_shard(stage(shard), replace(shard, on_bad_slide="exclude"))] == ["ok"]


def test_weights_that_are_missing_are_no_slides_fault(shard: Shard, tmp_path: Path) -> None:
    settings = replace(SETTINGS, weights=str(tmp_path / "weights.pth"))
    with pytest.raises(ConfigError, match="cannot be read"):
        run_shard(stage(shard, settings), replace(shard, on_bad_slide="exclude"))
    (tmp_path / "weights.pth").touch()
    with pytest.raises(ConfigError, match="not the ones expected"):
        run_shard(stage(shard, replace(settings, sha256="0" * 64)), replace(shard, on_bad_slide="exclude"))
    assert not shard.manifest.exists()


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_slide_that_was_replaced_after_it_was_outlined_is_not_embedded(
    shard: Shard, pixels: np.ndarray, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slide,) = shard.slides
    assert shard.upstream is not None
    (row,) = read_manifest(shard.upstream)
    tiles = Tiles.read(row.path)
    replace(tiles, attributes={**tiles.attributes, "slide_fingerprint": slide_fingerprint(slide)}).write(
        row.path, row.key
    )

    def replace_slide() -> None:
        times = slide.path.stat()
        tifffile.imwrite(slide.path, pixels[::-1], tile=(256, 256), photometric="rgb")
        os.utime(slide.path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as `cp -p` does

    worker = stage(shard)
    if when == "before":
        replace_slide()
    else:
        embed = worker._features

        def embed_and_replace(*arguments: Any) -> Any:
            features = embed(*arguments)
            replace_slide()
            return features

        monkeypatch.setattr(worker, "_features", embed_and_replace)
    with pytest.raises(StageError, match="not the one that was outlined"):
        run_shard(worker, replace(shard, on_bad_slide="exclude"))
    assert not worker.output(slide).exists()
