"""Direct decoding: OpenSlide's pixels exactly, or OpenSlide itself; damage is an error, never a colour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from ccl.io.errors import SlideError
from ccl.io.formats import Tiles
from ccl.io.sheets import Slide
from ccl.wsi.reader import direct
from ccl.wsi.reader.by_openslide import OpenSlideReader
from ccl.wsi.reader.direct import DirectReader
from ccl.wsi.reader.patches import patches


def tissue_like(height, width):
    grain = np.random.default_rng(0).normal(size=(height, width, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(grain, (0, 0), 3)
    return np.clip(150 + 40 * blurred / blurred.std(), 0, 255).astype(np.uint8)


def halved(image):
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean((1, 3)).astype(np.uint8)


@pytest.fixture(scope="module", params=["jpeg", "jpeg in RGB", "jpeg 2000", "deflate"])
def pair(request, tmp_path_factory):
    """Both readers of a slide of 900 x 700 px with a level half its size."""
    options = {
        "jpeg": {"compression": "jpeg", "photometric": "ycbcr", "subsampling": (2, 2)},
        "jpeg in RGB": {"compression": "jpeg", "photometric": "rgb", "compressionargs": {"outcolorspace": "rgb"}},
        "jpeg 2000": {"compression": "aperio_jp2000_rgb", "photometric": "rgb"},
        "deflate": {"compression": "deflate", "photometric": "rgb"},
    }[request.param]
    path = tmp_path_factory.mktemp("slide") / "slide.svs"
    image = tissue_like(700, 900)
    aperio = "Aperio Image Library\n900x700 (256x256)|AppMag = 20|MPP = 0.5"
    with tifffile.TiffWriter(path) as file:
        for level in (image, halved(image)):
            file.write(level, tile=(256, 256), description=aperio, metadata=None, software=False, **options)
    slide = Slide("S", "P", path, None)
    with OpenSlideReader(slide) as reference, DirectReader(slide) as reader:
        yield reference, reader


@settings(max_examples=25)
@given(level=st.integers(0, 1), data=st.data())
def test_any_region_has_the_pixels_of_openslide(pair, level, data):
    reference, reader = pair
    width, height = reference.levels[level].width, reference.levels[level].height
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    size = {"width": data.draw(st.integers(1, width - left)), "height": data.draw(st.integers(1, height - top))}
    expected = reference.read_region(left, top, level=level, **size)
    np.testing.assert_array_equal(reader.read_region(left, top, level=level, **size), expected)


def test_a_level_that_lost_an_odd_pixel_is_read_pixel_by_pixel(write_slide):
    """OpenSlide takes 350 of 701 pixels for a factor of 2.0028 and interpolates between pixels; a half has none."""
    image = tissue_like(701, 901)
    small = halved(image)
    with DirectReader(write_slide(image, file_mpp=0.5, levels=[small], compression="deflate")) as reader:
        assert [level.downsample for level in reader.levels] == [1, 2]
        np.testing.assert_array_equal(
            reader.read_region(301, 203, width=140, height=140, level=1), small[203:343, 301:441]
        )


def test_the_reason_is_logged(write_slide, capsys):
    with DirectReader(write_slide(tissue_like(600, 600), file_mpp=0.5)) as reader:
        reader.read_region(0, 0, width=10, height=10, level=0)
    assert "level 0 decoded directly: 5 tiles have OpenSlide's pixels" in capsys.readouterr().err


def test_other_pixels_than_openslides_are_not_used(write_slide, monkeypatch, capsys):
    slide = write_slide(tissue_like(600, 600), file_mpp=0.5)
    decode = direct.TiledLevel.decode

    def changed(level, index, data, into, factor=1):
        decode(level, index, data, into, factor)
        into ^= 1

    monkeypatch.setattr(direct.TiledLevel, "decode", changed)
    with OpenSlideReader(slide) as reference, DirectReader(slide) as reader:
        found, expected = (r.read_region(50, 60, width=300, height=300, level=0) for r in (reader, reference))
    np.testing.assert_array_equal(found, expected)
    assert "level 0 read by OpenSlide: tiles decoded directly have other pixels" in capsys.readouterr().err


def test_beyond_the_slide_and_where_nothing_was_scanned_it_is_as_openslide_has_it(write_slide):
    slide = write_slide(tissue_like(600, 600), file_mpp=0.5)
    with tifffile.TiffFile(slide.path, mode="r+b") as file:
        counts = list(file.pages[0].databytecounts)
        file.pages[0].tags["TileByteCounts"].overwrite([0 if i == 4 else count for i, count in enumerate(counts)])
    with OpenSlideReader(slide) as reference, DirectReader(slide) as reader:
        for x, y in ((400, 100), (300, 300), (590, 590), (0, 0)):
            found, expected = (r.read_region(x, y, width=200, height=200, level=0) for r in (reader, reference))
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compression", ["jpeg", "deflate"])
@pytest.mark.parametrize("damage", ["zeros", "noise", "cut short"])
def test_a_damaged_tile_in_the_middle_is_an_error(write_slide, monkeypatch, compression, damage):
    # Only the corners are tried when the level is opened, so that the damage is met while reading.
    monkeypatch.setattr(direct, "SAMPLES", 2)
    slide = write_slide(tissue_like(1024, 1024), file_mpp=0.5, compression=compression)
    with tifffile.TiffFile(slide.path) as file:
        start, size = file.pages[0].dataoffsets[5], file.pages[0].databytecounts[5]
    first, count = (start + size // 2, size // 2) if damage == "cut short" else (start + size // 3, size // 6)
    with slide.path.open("r+b") as file:
        file.seek(first)
        file.write(np.random.default_rng(0).bytes(count) if damage == "noise" else bytes(count))
    with DirectReader(slide) as reader:
        reader.read_region(0, 0, width=256, height=256, level=0)
        with pytest.raises(SlideError, match="a region of the slide cannot be read"):
            reader.read_region(200, 200, width=400, height=400, level=0)


def test_a_file_cut_short_behind_its_directory_is_an_error(write_slide, monkeypatch):
    monkeypatch.setattr(direct, "SAMPLES", 1)
    slide = write_slide(tissue_like(1024, 1024), file_mpp=0.5)
    with tifffile.TiffFile(slide.path) as file:
        last = file.pages[0].dataoffsets[-1]
    slide.path.write_bytes(slide.path.read_bytes()[: last + 100])
    with pytest.raises(SlideError), DirectReader(slide) as reader:
        reader.read_region(768, 768, width=256, height=256, level=0)


@pytest.mark.parametrize(
    ("name", "mpp"), [("cmu_small_region.svs", None), ("tcga-cr-7395-01a-01-ts1.svs", 0.5)], ids=["JPEG", "JPEG 2000"]
)
def test_real_slides_give_the_same_patches_through_both_readers(real_data, name, mpp):
    slide = Slide("S", "P", real_data / "slides" / name, mpp)
    with OpenSlideReader(slide) as reference, DirectReader(slide) as reader:
        width, height = reader.dimensions
        side = 256 * 0.5 / reader.mpp
        coords = np.array([(x, y) for y in range(0, 1300, 300) for x in range(0, 1300, 300)])
        about = {"patch_size_level0": side, "level0_mpp": reader.mpp, "level0_width": width, "level0_height": height}
        one, other = (list(patches(r, Tiles(coords, about), 256)) for r in (reference, reader))
        for expected, found in zip(one, other, strict=True):
            np.testing.assert_array_equal(found.positions, expected.positions)
            np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert reader._direct[0] is not None
