"""Vendors' formats: each opens with its size, scale and pixels, and either reader gives the same patches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import openslide
import pytest

from ccl.io.formats import Tiles
from ccl.io.sheets import Slide
from ccl.wsi.reader.by_openslide import OpenSlideReader
from ccl.wsi.reader.opening import open_slide, slide_fingerprint
from ccl.wsi.reader.patches import patches
from tests.wsi.reader import formats

MARGIN = 64
"""Pixels around the scanned area of the Leica slide."""

CASES: dict[str, tuple[str, Callable[..., None], str, bool]] = {
    "TIFF": ("s.tif", formats.write_tiff, "generic-tiff", True),
    "BigTIFF": ("s.tif", partial(formats.write_tiff, bigtiff=True), "generic-tiff", True),
    "Aperio, JPEG": ("s.svs", partial(formats.write_aperio, jpeg_2000=False), "aperio", True),
    "Aperio, JPEG 2000": ("s.svs", partial(formats.write_aperio, jpeg_2000=True), "aperio", True),
    "Philips": ("s.tiff", formats.write_philips, "philips", False),
    "Leica": ("s.scn", partial(formats.write_leica, margin=MARGIN), "leica", False),
    "DICOM": ("series", formats.write_dicom, "dicom", False),
}
"""File, its writer, what OpenSlide calls the format, and whether its tiles can be decoded directly."""


@pytest.fixture(scope="module")
def levels() -> formats.Levels:
    """Level 0 of 900 x 700 px with detail of some pixels, as tissue has, and the level of half its size."""
    grain = np.random.default_rng(0).normal(size=(700, 900, 1)).astype(np.float32)
    blurred = cv2.GaussianBlur(grain, (0, 0), 3)[..., None]
    image = np.clip((180, 120, 160) + 40 * blurred / blurred.std(), 0, 255).astype(np.uint8)
    return [image, image.reshape(350, 2, 450, 2, 3).mean((1, 3)).astype(np.uint8)]


@pytest.fixture(scope="module", params=CASES)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, levels: formats.Levels
) -> tuple[Slide, int, str, bool]:
    """A slide, the offset of the image, OpenSlide's name of the format, and whether it is decoded directly."""
    name, write, vendor, direct = CASES[request.param]
    path = tmp_path_factory.mktemp("slide") / name
    write(path, levels)
    return Slide("S", "P", path, None), MARGIN if vendor == "leica" else 0, vendor, direct


def test_size_scale_and_pixels(case: tuple[Slide, int, str, bool], levels: formats.Levels) -> None:
    slide, margin, vendor, _ = case
    with open_slide(slide) as reader:
        entry = min(slide.path.iterdir()) if slide.path.is_dir() else slide.path
        assert openslide.OpenSlide.detect_format(entry) == vendor
        assert reader.dimensions == (900 + 2 * margin, 700 + 2 * margin)
        assert reader.mpp == pytest.approx(0.5)
        assert [level.downsample for level in reader.levels] == [1, 2]
        for number, image in enumerate(levels):
            x, y = 201 + margin // 2**number, 30 + margin // 2**number
            found = reader.read_region(x, y, width=240, height=300, level=number)
            expected = image[30:330, 201:441]
            assert np.abs(found.astype(int) - expected).mean() < 3, "a shift by a pixel gives 7, swapped channels 13"
    assert len(slide_fingerprint(slide)) == 64


@pytest.mark.parametrize("target_mpp", [0.5, 0.8, 1.0])
def test_both_readers_give_the_same_patches(
    case: tuple[Slide, int, str, bool], target_mpp: float, capsys: pytest.CaptureFixture[str]
) -> None:
    slide, _, _, direct = case
    side = 100 * target_mpp / 0.5
    coords = np.array([(x, y) for y in range(0, 500, 120) for x in range(0, 700, 120)])
    with OpenSlideReader(slide) as reference, open_slide(slide) as reader:
        width, height = reference.dimensions
        about = {"patch_size_level0": side, "level0_mpp": 0.5, "level0_width": width, "level0_height": height}
        one, other = (list(patches(r, Tiles(coords, about), 100)) for r in (reference, reader))
    for expected, found in zip(one, other, strict=True):
        np.testing.assert_array_equal(found.positions, expected.positions)
        np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert sum(len(block.positions) for block in other) == len(coords)
    assert ("decoded directly" in capsys.readouterr().err) == direct


def test_what_a_leica_scanner_left_out_is_white(tmp_path: Path, levels: formats.Levels) -> None:
    formats.write_leica(tmp_path / "s.scn", levels, margin=MARGIN)
    with open_slide(Slide("S", "P", tmp_path / "s.scn", None)) as reader:
        corner = reader.read_region(0, 0, width=2 * MARGIN, height=2 * MARGIN, level=0)
    assert (corner[:MARGIN] == 255).all()
    assert (corner[:, :MARGIN] == 255).all()
    assert corner[MARGIN:, MARGIN:].mean() < 200
