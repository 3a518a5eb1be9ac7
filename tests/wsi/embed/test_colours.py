"""How patches are made: each choice is in the key and in the file, and none changes what is read without it."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from ccl.config.sections import EmbedSettings
from ccl.io.errors import ConfigError
from ccl.io.formats import ManifestRow, Tiles, coords_attributes, write_manifest
from ccl.io.shards import Job, Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.embed.ahead import ReadAhead
from ccl.wsi.embed.stage import EmbedStage
from tests.wsi.embed.test_stains import OTHER, stained

PLAIN = EmbedSettings(encoder="resnet50", weights="random")
SIDE = 64


def steeper_profile() -> bytes:
    """Return the ICC profile of sRGB with a power of 1.8 instead of 2.4."""
    powers = [struct.pack(">i", round(power * 65536)) for power in (2.4, 1.8)]
    known = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert known.count(powers[0]) in (1, 3)
    return known.replace(*powers)


def shard(folder: Path, pixels: np.ndarray, *, mpp: float = 0.5, **tags) -> Shard:
    """Write a slide whose patches are side by side."""
    path = folder / "S.tif"
    tifffile.imwrite(path, pixels, tile=(64, 64), photometric="rgb", **tags)
    side = SIDE * 0.5 / mpp
    height, width = pixels.shape[:2]
    coords = [
        (x, y) for y in range(0, height - int(side) + 1, int(side)) for x in range(0, width - int(side) + 1, int(side))
    ]
    about = {"patch_size": SIDE, "patch_size_level0": side, "level0_mpp": mpp, "target_mpp": 0.5, "name": "S"}
    size = {"level0_width": width, "level0_height": height}
    Tiles(np.array(coords), about | size).write(folder / "tile" / "S.h5", "tiles")
    upstream = folder / "tile" / "manifests" / "0.tsv"
    write_manifest(upstream, [ManifestRow("S", "ok", folder / "tile" / "S.h5", "tiles", len(coords), "")])
    return Shard([Slide("S", "P", path, mpp)], upstream, folder / "embed" / "manifests" / "0.tsv")


def read(one: Shard, settings: EmbedSettings) -> np.ndarray:
    """Return the patches that reach the encoder."""
    slide = one.slides[0]
    row = ManifestRow("S", "ok", one.upstream.parent.parent / "S.h5", "tiles", 1, "")
    ahead = ReadAhead([Job(slide, row, "key")], batch_size=100, threads=2, pin=False, patches=settings)
    try:
        return np.concatenate([batch.pixels.numpy().copy() for batch in ahead.batches(slide)])
    finally:
        ahead.stop()


def stage(one: Shard, settings: EmbedSettings) -> EmbedStage:
    return EmbedStage(one.manifest.parent.parent, settings, 8, torch.device("cpu"), threads=2)


def key(one: Shard, settings: EmbedSettings) -> str:
    row = ManifestRow("S", "ok", Path("S.h5"), "tiles", 1, "")
    return stage(one, settings).key(one.slides[0], row)


def test_the_key_knows_each_choice_and_the_target_by_its_content(tmp_path):
    one = shard(tmp_path, stained(OTHER))
    for name, seed in (("a.png", 0), ("b.png", 0), ("c.png", 1)):
        Image.fromarray(stained(OTHER, seed=seed)).save(tmp_path / name)
    macenko = replace(PLAIN, stain="macenko")
    choices = [
        PLAIN,
        replace(PLAIN, decode="half"),
        replace(PLAIN, profile="srgb"),
        macenko,
        replace(PLAIN, stain="reinhard"),
    ]
    a, b, c = (replace(macenko, stain_target=str(tmp_path / f"{name}.png")) for name in "abc")
    assert len({key(one, settings) for settings in [*choices, a, c]}) == 7
    assert key(one, a) == key(one, b)


def test_features_say_how_their_patches_were_coloured(tmp_path):
    one = shard(tmp_path, stained(OTHER))
    (row,) = run_shard(stage(one, replace(PLAIN, stain="macenko")), one)
    found = coords_attributes(row.path)
    assert (found["stain"], found["stain_target"]) == ("macenko", "published")
    (row,) = run_shard(stage(one, PLAIN), one)
    assert "stain" not in coords_attributes(row.path)


def test_patches_are_normalised_by_the_slides_own_stains(tmp_path):
    pixels = stained(OTHER, strength=0.6)
    one = shard(tmp_path, pixels, compression="deflate")
    Image.fromarray(pixels).save(tmp_path / "target.png")
    same = read(one, replace(PLAIN, stain="macenko", stain_target=str(tmp_path / "target.png")))
    assert np.abs(same.astype(int) - read(one, PLAIN)).max() <= 3
    assert np.abs(read(one, replace(PLAIN, stain="macenko")).astype(int) - read(one, PLAIN)).mean() > 10


def test_a_slide_without_stained_tissue_is_excluded_with_its_reason(tmp_path):
    one = shard(tmp_path, np.full((64, 128, 3), 250, np.uint8), compression="deflate")
    (row,) = run_shard(stage(one, replace(PLAIN, stain="macenko")), replace(one, on_bad_slide="exclude"))
    assert row.status == "excluded"
    assert "the stains cannot be determined" in row.message
    assert "slide S" in row.message


@pytest.mark.parametrize("content", [None, b"no picture", "glass"])
def test_a_bad_target_stops_the_stage_not_the_slide(tmp_path, content):
    target = tmp_path / "target.png"
    if content == "glass":
        Image.fromarray(np.full((64, 64, 3), 250, np.uint8)).save(target)
    elif content:
        target.write_bytes(content)
    one = shard(tmp_path, stained(OTHER))
    with pytest.raises(ConfigError, match="target of stain normalisation"):
        run_shard(
            stage(one, replace(PLAIN, stain="macenko", stain_target=str(target))), replace(one, on_bad_slide="exclude")
        )


def test_a_target_without_normalisation_is_refused():
    with pytest.raises(ValueError, match="stain_target"):
        EmbedSettings(encoder="resnet50", stain_target="a.png")


def test_a_colour_profile_is_applied_as_it_is_defined(tmp_path):
    pixels = stained(OTHER)
    one = shard(tmp_path, pixels, compression="deflate", iccprofile=steeper_profile())
    plain, found = read(one, PLAIN), read(one, replace(PLAIN, profile="srgb"))
    # Both parts of the curve of sRGB, with the power of the profile; then back by the power of sRGB.
    linear = np.where(plain / 255 < 0.04045, plain / 255 / 12.92, ((plain / 255 + 0.055) / 1.055) ** 1.8)
    expected = np.where(linear < 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(found - expected).max() <= 3
    assert np.abs(found.astype(int) - plain).mean() > 5


def test_a_slide_without_a_profile_keeps_its_colours(tmp_path):
    one = shard(tmp_path, stained(OTHER), compression="deflate")
    np.testing.assert_array_equal(read(one, replace(PLAIN, profile="srgb")), read(one, PLAIN))


def test_a_profile_of_other_colours_is_the_slides_fault(tmp_path):
    cmyk_or_damaged = b"no profile at all" * 20
    one = shard(tmp_path, stained(OTHER), compression="deflate", iccprofile=cmyk_or_damaged)
    (row,) = run_shard(stage(one, replace(PLAIN, profile="srgb")), replace(one, on_bad_slide="exclude"))
    assert row.status == "excluded"
    assert "colour profile" in row.message
    assert run_shard(stage(one, PLAIN), one)[0].status == "ok"


@pytest.mark.parametrize("mpp", [0.25, 0.2525], ids=["a half", "almost a half"])
def test_tiles_decoded_at_half_size_are_almost_those_that_are_averaged(tmp_path, mpp):
    smooth = cv2.GaussianBlur(stained(OTHER, side=512), (0, 0), 2)
    one = shard(tmp_path, smooth, mpp=mpp, compression="jpeg", compressionargs={"level": 90})
    exact, half = read(one, PLAIN).astype(int), read(one, replace(PLAIN, decode="half")).astype(int)
    difference = np.abs(exact - half)
    assert 0 < difference.mean() < 1
    # Not shifted: a patch is nearest to itself, not to one that is moved by a pixel.
    moved = np.abs(exact[:, 1:, 1:] - half[:, :-1, :-1]).mean()
    assert difference[:, 1:, 1:].mean() < 0.5 * moved


def test_a_level_at_the_scale_of_the_patches_is_read_exactly_either_way(tmp_path):
    one = shard(tmp_path, stained(OTHER, side=256), compression="jpeg")
    np.testing.assert_array_equal(read(one, replace(PLAIN, decode="half")), read(one, PLAIN))


def test_damage_is_found_at_half_size_too(tmp_path):
    one = shard(tmp_path, stained(OTHER, side=512), mpp=0.25, compression="jpeg")
    with tifffile.TiffFile(one.slides[0].path) as file:
        start, size = file.pages[0].dataoffsets[9], file.pages[0].databytecounts[9]
    with one.slides[0].path.open("r+b") as file:
        file.seek(start + size // 3)
        file.write(bytes(size // 3))
    (row,) = run_shard(stage(one, replace(PLAIN, decode="half")), replace(one, on_bad_slide="exclude"))
    assert row.status == "excluded"
    assert "a region of the slide cannot be read" in row.message
