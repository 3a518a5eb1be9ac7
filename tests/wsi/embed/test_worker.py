"""The embedding worker: slides read ahead in order, one bad slide alone, memory that does not suffice, and its log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import timm
import torch
from torch import Tensor, nn

from ccl.config.sections import EmbedSettings
from ccl.io.errors import StageError
from ccl.io.formats import Features, ManifestRow, Tiles, write_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.embed.stage import EmbedStage


class Fingerprint(nn.Module):
    """Stands for an encoder: what it gives tells one patch from another; `most` patches fit into its memory."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.most, self.seen = most, []

    def forward(self, patches: Tensor) -> Tensor:
        self.seen.append(len(patches))
        if len(patches) > self.most:
            raise torch.OutOfMemoryError
        assert patches.dtype == torch.uint8
        assert patches.is_contiguous(memory_format=torch.channels_last)
        return patches.float().mean(dim=(1, 2, 3))[:, None].repeat(1, 1024)


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    """Three slides of 13 patches, the grey of each patch its slide's number times 50 plus its place."""
    rows, slides = [], []
    for number in range(3):
        values = np.arange(16).repeat(256) + 50 * number
        image = np.broadcast_to(values[None, :, None], (256, 4096, 3)).astype(np.uint8)
        name = f"S{number}"
        tifffile.imwrite(tmp_path / f"{name}.tif", image, tile=(256, 256), photometric="rgb", compression="deflate")
        about = {"patch_size": 256, "patch_size_level0": 256, "level0_mpp": 0.5, "target_mpp": 0.5}
        size = {"level0_width": 4096, "level0_height": 256, "name": name}
        coords = np.array([(256 * place, 0) for place in reversed(range(3, 16))])
        Tiles(coords, about | size).write(tmp_path / "tile" / f"{name}.h5", "tiles")
        rows.append(ManifestRow(name, "ok", tmp_path / "tile" / f"{name}.h5", "tiles", 13, ""))
        slides.append(Slide(name, "P", tmp_path / f"{name}.tif", 0.5))
    upstream = tmp_path / "tile" / "manifests" / "0.tsv"
    write_manifest(upstream, rows)
    return Shard(slides, upstream, tmp_path / "embed" / "manifests" / "0.tsv")


def stage(shard: Shard, encoder: nn.Module, *, batch_size: int = 4) -> EmbedStage:
    settings = EmbedSettings("resnet50", "random", None, "float32")
    made = EmbedStage(shard.manifest.parent.parent, settings, batch_size, torch.device("cpu"), threads=2)
    made.model = encoder
    return made


def expected(number: int) -> np.ndarray:
    return 50.0 * number + np.arange(15, 2, -1)


@pytest.mark.parametrize("batch_size", [1, 4, 13, 64])
def test_every_patch_of_every_slide_is_where_its_tile_is(shard: Shard, batch_size: int) -> None:
    encoder = Fingerprint()
    rows = run_shard(stage(shard, encoder, batch_size=batch_size), shard)
    for number, row in enumerate(rows):
        features = Features.read(row.path)
        np.testing.assert_allclose(features.features[:, 0], expected(number))
        np.testing.assert_array_equal(features.coords[:, 0] // 256, np.arange(15, 2, -1))
    full, rest = divmod(13, batch_size)
    assert encoder.seen == ([batch_size] * full + [rest] * (rest > 0)) * 3


def test_too_little_memory_halves_the_batch_for_good(shard: Shard, capfd: pytest.CaptureFixture[str]) -> None:
    encoder = Fingerprint(most=3)
    rows = run_shard(stage(shard, encoder, batch_size=8), shard)
    for number, row in enumerate(rows):
        np.testing.assert_allclose(Features.read(row.path).features[:, 0], expected(number))
    assert encoder.seen[:3] == [8, 4, 2]
    assert max(encoder.seen[3:]) == 2
    assert "batches of 2 patches from now on" in capfd.readouterr().err


def test_a_patch_that_does_not_fit_at_all_fails_the_slide(shard: Shard) -> None:
    with pytest.raises(StageError, match="3 of 3 slides failed"):
        run_shard(stage(shard, Fingerprint(most=0)), shard)


def test_a_slide_damaged_in_the_middle_costs_only_itself(shard: Shard) -> None:
    with tifffile.TiffFile(shard.slides[1].path) as file:
        start, size = file.pages[0].dataoffsets[9], file.pages[0].databytecounts[9]
    with shard.slides[1].path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(size))
    encoder = Fingerprint()
    with pytest.raises(StageError, match="S1: a region of the slide cannot be read"):
        run_shard(stage(shard, encoder), shard)
    folder = shard.manifest.parent.parent
    assert sorted(path.name for path in folder.glob("*.h5")) == ["S0.h5", "S2.h5"]
    assert not list(folder.glob(".ccl-*"))
    again = Fingerprint()
    with pytest.raises(StageError, match="1 of 3 slides failed"):
        run_shard(stage(shard, again), shard)
    assert sum(again.seen) < 13, "finished slides are not read again"


def test_a_slide_that_breaks_on_the_device_does_not_shift_the_others(shard: Shard) -> None:
    class Picky(Fingerprint):
        def forward(self, patches: Tensor) -> Tensor:
            features = super().forward(patches)
            if 50 < float(features[0, 0]) < 62:
                raise RuntimeError("the device stumbled")
            return features

    with pytest.raises(StageError, match="S1: RuntimeError: the device stumbled"):
        run_shard(stage(shard, Picky()), shard)
    for number in (0, 2):
        features = Features.read(shard.manifest.parent.parent / f"S{number}.h5")
        np.testing.assert_allclose(features.features[:, 0], expected(number))


def test_the_log_tells_how_fast_it_was_and_how_long_the_device_waited(
    shard: Shard, capfd: pytest.CaptureFixture[str]
) -> None:
    run_shard(stage(shard, Fingerprint()), shard)
    log = capfd.readouterr().err
    assert "embed: 39 patches, " in log
    assert "the device waited" in log


def test_the_encoder_is_built_before_a_slide_is_read_and_only_if_one_is_to_be(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shard(stage(shard, Fingerprint()), shard)
    settings = EmbedSettings("resnet50", "random", None, "float32")
    monkeypatch.setattr("ccl.wsi.embed.stage.build_encoder", lambda *_: pytest.fail("built for nothing"))
    finished = EmbedStage(shard.manifest.parent.parent, settings, 4, torch.device("cpu"), threads=1)
    assert len(run_shard(finished, shard)) == 3


def test_patches_of_another_extent_than_the_encoder_knows_are_warned_of_once(
    shard: Shard, capfd: pytest.CaptureFixture[str]
) -> None:
    made = stage(shard, nn.Sequential(Fingerprint(), nn.AdaptiveAvgPool1d(512)))
    made.settings = EmbedSettings("conch", "random", None, "float32")
    run_shard(made, shard)
    log = capfd.readouterr().err
    assert log.count("patches are 128 um wide (256 px at 0.5 um/px), conch was trained on 256 um") == 1


def test_what_a_file_holds_beside_the_encoder_is_told(shard: Shard, capfd: pytest.CaptureFixture[str]) -> None:
    weights = shard.manifest.parent.parent / "weights.pth"
    weights.parent.mkdir()
    torch.save(timm.create_model("resnet50").state_dict(), weights)
    settings = EmbedSettings("resnet50", str(weights), None, "float32")
    run_shard(EmbedStage(weights.parent, settings, 64, torch.device("cpu"), threads=1), shard)
    assert (
        "weights of the file do not belong to resnet50: fc.bias, fc.weight, layer4.0.bn1.bias, ..."
        in capfd.readouterr().err
    )
