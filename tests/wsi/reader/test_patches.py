"""Patches and thumbnails: exact in um, from the nearest finer level, the same as an independent crop and resize."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from ccl.io.errors import SlideError
from ccl.io.formats import Tiles
from ccl.io.sheets import Slide
from ccl.wsi.reader import patches as patches_module
from ccl.wsi.reader.opening import open_slide
from ccl.wsi.reader.patches import best_level, patches, thumbnail
from ccl.wsi.reader.protocol import Level


def smooth(height, width, seed=0):
    """Return an image with detail of some 10 pixels, as tissue has."""
    grain = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(grain, (0, 0), 4)
    return np.clip(128 + 40 * blurred / blurred.std(), 0, 255).astype(np.uint8)


def plain(height, width, value):
    return np.full((height, width, 3), value, np.uint8)


def tiles_of(coords, *, mpp=0.25, size=(1024, 1024), patch_size_level0=512):
    attributes = {
        "patch_size": 256,
        "patch_size_level0": patch_size_level0,
        "level0_mpp": mpp,
        "level0_width": size[0],
        "level0_height": size[1],
    }
    return Tiles(np.array(coords, np.int64), attributes)


def read_patch(reader, x, y, *, size_px, target_mpp):
    """Return the one patch of a tile at (x, y)."""
    side = size_px * target_mpp / reader.mpp
    tiles = tiles_of([(x, y)], mpp=reader.mpp, size=reader.dimensions, patch_size_level0=side)
    (block,) = patches(reader, tiles, size_px)
    return block.pixels[0]


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int))


def test_a_40x_slide_whose_second_level_is_4x_smaller(write_slide):
    """A 20x patch of it is 512 level-0 pixels halved: not the 4x smaller level (blank here), not 256 pixels of 40x."""
    image = smooth(1536, 1536)
    slide = write_slide(image, file_mpp=0.25, levels=[plain(384, 384, 0)], compression="deflate")
    with open_slide(slide) as reader:
        patch = read_patch(reader, 400, 300, size_px=256, target_mpp=0.5)
    expected = np.asarray(Image.fromarray(image[300:812, 400:912]).reduce(2))
    assert patch.shape == (256, 256, 3)
    assert patch.dtype == np.uint8
    assert difference(patch, expected).max() <= 4


@pytest.mark.parametrize("mpp", [0.25, 0.2528, 0.3, 0.46, 0.4990, 0.5025])
def test_a_patch_equals_an_independent_crop_and_resize(write_slide, mpp):
    """OpenCV's affine sampling of the blurred level 0 is the independent way."""
    image = smooth(1024, 1024)
    with open_slide(write_slide(image, file_mpp=mpp, compression="deflate")) as reader:
        patch = read_patch(reader, 301, 207, size_px=256, target_mpp=0.5)
    ratio = 0.5 / mpp
    centres = (np.arange(256, dtype=np.float32) + 0.5) * ratio - 0.5
    x, y = np.meshgrid(centres + 301, centres + 207)
    blurred = cv2.GaussianBlur(image, (0, 0), 0.25 * ratio)
    expected = cv2.remap(blurred, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    assert difference(patch, expected)[2:-2, 2:-2].mean() < 1.0
    assert difference(patch, expected)[2:-2, 2:-2].max() <= 10


def test_a_coarser_target_is_read_from_the_nearest_finer_level(write_slide):
    image = plain(2048, 2048, 250)
    levels = [plain(1024, 1024, 150), plain(512, 512, 50)]
    with open_slide(write_slide(image, file_mpp=0.25, levels=levels, compression="deflate")) as reader:
        shades = {
            mpp: int(read_patch(reader, 0, 0, size_px=64, target_mpp=mpp).mean()) for mpp in (0.25, 0.4, 0.5, 0.9, 1, 4)
        }
    assert shades == {0.25: 250, 0.4: 250, 0.5: 150, 0.9: 150, 1: 50, 4: 50}


def test_at_level_scale_the_stored_pixels_come_back(write_slide):
    level = smooth(512, 512)
    slide = write_slide(plain(2048, 2048, 255), file_mpp=0.125, levels=[level], compression="deflate")
    with open_slide(slide) as reader:
        patch = read_patch(reader, 4 * 100, 4 * 200, size_px=128, target_mpp=0.5)
    np.testing.assert_array_equal(patch, level[200:328, 100:228])


def test_neighbours_of_fractional_pitch_continue_each_other(write_slide):
    """A ramp over the slide goes on over the border between patches without a step or a lost pixel."""
    ramp = np.repeat(np.linspace(0, 255, 1024).round().astype(np.uint8)[None, :, None], 300, axis=0).repeat(3, axis=2)
    with open_slide(write_slide(ramp, file_mpp=0.47, compression="deflate")) as reader:
        xs = np.rint(np.arange(7) * 128 * 0.5 / 0.47).astype(int)
        row = np.concatenate([read_patch(reader, int(x), 0, size_px=128, target_mpp=0.5)[64, :, 0] for x in xs])
    expected = (np.arange(len(row)) + 0.5) * (0.5 / 0.47) / 1024 * 255
    assert np.abs(row - expected).max() < 1.5


def test_a_slide_coarser_than_the_target_is_refused_beyond_10_percent(write_slide):
    slide = write_slide(smooth(512, 512), file_mpp=0.54)
    with open_slide(slide) as reader:
        assert read_patch(reader, 0, 0, size_px=256, target_mpp=0.5).shape == (256, 256, 3)
        with pytest.raises(SlideError, match="coarser than the scale asked for") as caught:
            read_patch(reader, 0, 0, size_px=256, target_mpp=0.25)
    assert "slide slide" in caught.value.where
    assert "0.54" in caught.value.found


def test_levels_just_off_the_target_count_as_at_it():
    class Reader:
        slide_id, mpp, dimensions = "s", 0.25, (4443, 3567)
        levels = (Level(4443, 3567, 1.0), Level(2221, 1783, 2.0005), Level(1110, 891, 4.003))

    assert best_level(Reader(), 0.5) == 1
    assert best_level(Reader(), 0.49) == 0
    assert best_level(Reader(), 1.0) == 2


@pytest.mark.parametrize(("x", "y"), [(-1, 0), (0, -1), (257, 0), (0, 257)])
def test_a_patch_beyond_the_edge_is_an_error_and_never_white(write_slide, x, y):
    with open_slide(write_slide(smooth(512, 512), file_mpp=0.5)) as reader:
        read_patch(reader, 256, 256, size_px=256, target_mpp=0.5)
        with pytest.raises(SlideError, match="leaves the slide"):
            read_patch(reader, x, y, size_px=256, target_mpp=0.5)


@pytest.mark.parametrize("region", [64, 600, 2048])
def test_patches_come_with_their_positions_whatever_the_regions(write_slide, monkeypatch, region):
    monkeypatch.setattr(patches_module, "REGION_PX", region)
    image = smooth(1024, 1024)
    coords = [(512, 0), (0, 512), (0, 0)]
    with open_slide(write_slide(image, file_mpp=0.25, compression="deflate")) as reader:
        blocks = list(patches(reader, tiles_of(coords), 256))
        (smaller,) = patches(reader, tiles_of(coords[:1]), 128)
    found = dict(
        zip(np.concatenate([b.positions for b in blocks]), np.concatenate([b.pixels for b in blocks]), strict=True)
    )
    assert sorted(found) == [0, 1, 2]
    for position, (x, y) in enumerate(coords):
        patch = found[position]
        expected = np.asarray(Image.fromarray(image[y : y + 512, x : x + 512]).reduce(2))
        assert difference(patch, expected).max() <= 4
    expected = np.asarray(Image.fromarray(image[:512, 512:]).reduce(4))
    assert difference(smaller.pixels[0], expected).max() <= 6


@pytest.mark.parametrize("change", [{"mpp": 0.5}, {"size": (1024, 2048)}])
def test_tiles_of_another_slide_are_refused(write_slide, change):
    with (
        open_slide(write_slide(smooth(1024, 1024), file_mpp=0.25)) as reader,
        pytest.raises(SlideError, match="another slide"),
    ):
        next(patches(reader, tiles_of([(0, 0)], **change), 256))


@pytest.mark.parametrize("block", [64, 300, 4096])
@pytest.mark.parametrize("downsamples", [(), (4,)])
def test_a_thumbnail_is_the_whole_slide_whatever_the_blocks(write_slide, monkeypatch, block, downsamples):
    image = cv2.GaussianBlur(smooth(1100, 1700), (0, 0), 8)
    slide = write_slide(image, file_mpp=0.5, downsamples=downsamples, compression="deflate")
    monkeypatch.setattr(patches_module, "BLOCK_PX", block)
    with open_slide(slide) as reader:
        found = thumbnail(reader, 4.0)
    expected = cv2.resize(image, (212, 138), interpolation=cv2.INTER_AREA)
    assert found.shape == (138, 212, 3)
    assert difference(found, expected).max() <= 3


def test_real_patch_of_a_level_equals_the_halved_level_0(real_data):
    """Two ways to 0.5 um/px of a JPEG 2000 slide: its second level, and its first level halved."""
    slide = Slide("tcga", "p", real_data / "slides/tcga-cr-7395-01a-01-ts1.svs", 0.25)
    with open_slide(slide) as reader:
        assert best_level(reader, 0.5) == 1
        patch = read_patch(reader, 2048, 1536, size_px=256, target_mpp=0.5)
        fine = reader.read_region(2048, 1536, width=512, height=512, level=0)
    # The scanner's own halving differs a little (2.8); a place wrong by 2 pixels of level 0 differs by 7, by 8 by 18.
    expected = np.asarray(Image.fromarray(fine).reduce(2))
    assert difference(cv2.blur(patch, (5, 5)), cv2.blur(expected, (5, 5))).mean() < 4
