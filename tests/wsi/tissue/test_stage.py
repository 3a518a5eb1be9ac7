"""The tissue stage on slide files: outlines in level-0 pixels, pictures, keys, and bad slides."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from shapely.geometry import Point, Polygon, mapping

from ccl.config.sections import TissueSettings
from ccl.io.errors import SlideError, StageError
from ccl.io.formats import read_manifest
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.tissue.outlines import Outlines
from ccl.wsi.tissue.stage import TissueStage

SETTINGS = TissueSettings(mpp=8.0, threshold=0.06, min_area_mm2=0.05, min_hole_mm2=0.01, annotation="restrict")
CIRCLE = Point(800, 700).buffer(500) - Point(700, 700).buffer(120)


@pytest.fixture(scope="module")
def image():
    """Return a 1400 x 1800 picture for 2 um/px: a disc of tissue with a hole, and a green stroke."""
    grain = np.random.default_rng(0).normal(scale=2, size=(1400, 1800, 3))
    picture = np.full((1400, 1800, 3), (243, 241, 244)) + grain
    for polygon, colour in ((CIRCLE, (205, 130, 180)), (Polygon([(1450, 0), (1600, 0), (1600, 1390)]), (30, 140, 70))):
        mask = np.zeros(picture.shape[:2], np.uint8)
        rings = [np.rint(ring.coords).astype(np.int32) for ring in (polygon.exterior, *polygon.interiors)]
        cv2.fillPoly(mask, rings, 1)
        picture[mask > 0] = np.array(colour) + 3 * grain[mask > 0]
    return np.clip(picture, 0, 255).astype(np.uint8)


def run(tmp_path, *slides, settings=SETTINGS, missing=(), **options):
    shard = Shard(slides, None, tmp_path / "tissue/manifests/0.tsv", **options)
    return run_shard(TissueStage(tmp_path / "tissue", settings, missing), shard)


def test_only_a_slide_that_was_missing_before_the_run_is_excluded(tmp_path, write_slide, image):
    slide = write_slide(image, file_mpp=2.0)
    gone = replace(slide, slide_id="gone", path=tmp_path / "gone.tiff")
    with pytest.raises(StageError, match="gone: the slide's file does not exist, and did when the run was planned"):
        run(tmp_path, slide, gone, on_bad_slide="exclude")
    assert not (tmp_path / "tissue/manifests/0.tsv").exists()
    rows = run(tmp_path, slide, gone, missing=["gone"], on_bad_slide="exclude")
    assert [(row.slide_id, row.status) for row in rows] == [("slide", "ok"), ("gone", "excluded")]


@pytest.mark.parametrize("downsamples", [(), (4,), (4, 16)])
def test_outlines_follow_the_tissue_in_level0_pixels(tmp_path, write_slide, image, downsamples):
    (row,) = run(tmp_path, write_slide(image, file_mpp=2.0, downsamples=downsamples))
    outlines = Outlines.read(row.path)
    assert (row.status, row.count, row.path) == ("ok", 1, tmp_path / "tissue/slide.geojson")
    assert (outlines.slide_id, outlines.level0_mpp) == ("slide", pytest.approx(2.0))
    assert (outlines.level0_width, outlines.level0_height) == (1800, 1400)
    (polygon,) = outlines.polygons
    assert polygon.intersection(CIRCLE).area / polygon.union(CIRCLE).area >= 0.95
    assert len(polygon.interiors) == 1
    assert outlines.area_mm2(polygon) == pytest.approx(np.pi * (1.0**2 - 0.24**2), rel=0.05)


def test_the_scale_of_the_sheet_counts(tmp_path, write_slide, image):
    """At half the um per pixel the same pixels are a quarter of the area, and no longer 0.7 mm2."""
    slide = write_slide(image, file_mpp=2.0, sheet_mpp=1.0)
    (row,) = run(tmp_path, slide)
    outlines = Outlines.read(row.path)
    assert outlines.area_mm2(outlines.polygons[0]) == pytest.approx(np.pi * (0.5**2 - 0.12**2), rel=0.05)
    with pytest.raises(StageError, match="no tissue"):
        run(tmp_path, slide, settings=replace(SETTINGS, min_area_mm2=1.0))


def test_the_picture_shows_the_outline_on_the_slide(tmp_path, write_slide, image):
    run(tmp_path, write_slide(image, file_mpp=2.0, downsamples=(4,)))
    picture = cv2.imread(str(tmp_path / "tissue/slide.jpg"))[..., ::-1].astype(int)
    assert max(picture.shape) == 1024
    scale = 1024 / 1800
    pink, glass = picture[int(1000 * scale), int(800 * scale)], picture[int(100 * scale), int(800 * scale)]
    assert np.abs(pink - (205, 130, 180)).max() < 12
    assert np.abs(glass - (243, 241, 244)).max() < 12
    for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        x, y = (800 + 500 * np.cos(angle)) * scale, (700 + 500 * np.sin(angle)) * scale
        around = picture[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9]
        green = (around[..., 1] - around[..., [0, 2]].max(axis=-1)).max()
        assert green > 50, f"no outline at {np.degrees(angle):.0f} degrees"


def files(tmp_path):
    return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "tissue").glob("slide.*")}


def test_a_finished_slide_is_not_made_again(tmp_path, write_slide, image):
    slide = write_slide(image, file_mpp=2.0)
    (first,) = run(tmp_path, slide)
    before = files(tmp_path)
    assert set(before) == {"slide.geojson", "slide.jpg"}
    assert run(tmp_path, slide) == [first]
    assert files(tmp_path) == before
    (tmp_path / "tissue/slide.jpg").unlink()
    assert run(tmp_path, slide) == [first]
    assert files(tmp_path).keys() == before.keys()


@pytest.mark.parametrize("change", ["settings", "scale", "content"])
def test_what_the_outlines_depend_on_makes_them_again(tmp_path, write_slide, image, change):
    slide = write_slide(image, file_mpp=2.0)
    (first,) = run(tmp_path, slide)
    before = files(tmp_path)
    settings = SETTINGS
    if change == "settings":
        settings = replace(SETTINGS, min_hole_mm2=0.5)
    elif change == "scale":
        slide = replace(slide, mpp=2.01)
    else:
        slide = write_slide(image[::-1], file_mpp=2.0)
    (again,) = run(tmp_path, slide, settings=settings)
    assert again.key != first.key
    assert all(files(tmp_path)[name] != before[name] for name in before)


def test_a_blank_slide_has_no_tissue(tmp_path, write_slide):
    slide = write_slide(np.full((1400, 1800, 3), 243, np.uint8), file_mpp=2.0)
    with pytest.raises(SlideError, match="no tissue on the slide") as caught:
        TissueStage(tmp_path / "tissue", SETTINGS).make(slide, None, "key")
    assert "slide slide" in caught.value.where
    assert not [path for path in (tmp_path / "tissue").glob("*") if path.is_file()]


def test_a_refused_slide_is_shown_until_it_is_used(tmp_path, write_slide, image):
    """No tissue, no scale: each has a picture to look at."""
    shown = tmp_path / "tissue/refused/slide.jpg"
    for refused in (write_slide(image[:, :200], file_mpp=2.0), write_slide(image)):
        with pytest.raises(StageError):
            run(tmp_path, refused)
        picture = cv2.imread(str(shown))[..., ::-1].astype(int)
        assert max(picture.shape) == 1024
        assert np.abs(picture[5, 5] - (243, 241, 244)).max() < 12
    run(tmp_path, write_slide(image, file_mpp=2.0))
    assert not shown.exists()


def test_fluorescence_and_grayscale_are_refused_as_such(tmp_path, write_slide, image):
    """Inverted, the slide is bright tissue on black; merges of two channels had passed as tissue."""
    dark = 255 - image
    channels = {"magenta": (1, 0, 1), "green": (0, 1, 0), "all": (1, 1, 1)}
    pictures = {f"dark-{name}": dark * np.uint8(kept) for name, kept in channels.items()}
    slides = [write_slide(picture, name=name, file_mpp=2.0) for name, picture in pictures.items()]
    slides.append(write_slide(np.repeat(image[..., 1:2], 3, axis=2), name="grey", file_mpp=2.0))
    rows = run(tmp_path, *slides, on_bad_slide="exclude")
    assert all("not a slide of stained tissue in bright light" in row.message for row in rows)
    assert ["as of fluorescence" in row.message for row in rows] == [True, True, True, False]
    assert "no colours" in rows[3].message
    assert "threshold" not in "".join(row.message for row in rows)


def test_an_annotation_that_replaces_detection_takes_a_slide_of_any_kind(tmp_path, write_slide, image):
    drawn = tmp_path / "drawn.geojson"
    drawn.write_text(json.dumps(mapping(CIRCLE)))
    slide = replace(write_slide(255 - image, file_mpp=2.0), annotation=drawn)
    (row,) = run(tmp_path, slide, settings=replace(SETTINGS, annotation="replace"))
    assert row.status == "ok"


def test_a_black_border_does_not_make_a_slide_dark(tmp_path, write_slide, image):
    framed = np.zeros((2800, 2600, 3), np.uint8)
    framed[:1400, :1800] = image
    (row,) = run(tmp_path, write_slide(framed, file_mpp=2.0))
    assert row.status == "ok"


def test_what_is_doubtful_about_the_scale_goes_with_the_outlines(tmp_path, write_slide, image):
    (row,) = run(tmp_path, write_slide(image, file_mpp=1.0, sheet_mpp=2.0))
    (note,) = Outlines.read(row.path).notes
    assert "the sample sheet says 2 um/px" in note


def test_bad_slides_do_not_stop_the_others_and_are_named(tmp_path, write_slide, image):
    bad = []
    for name, content in (("empty", b""), ("text", b"some text")):
        path = tmp_path / f"{name}.svs"
        path.write_bytes(content)
        bad.append(Slide(name, "p", path, 0.5))
    bad.append(Slide("absent", "p", tmp_path / "absent.svs", 0.5))
    bad.append(write_slide(image[:300], name="unscaled"))
    good = write_slide(image, name="good", file_mpp=2.0)
    with pytest.raises(StageError) as caught:
        run(tmp_path, *bad, good, missing=["absent"])
    assert all(f"slide {slide.slide_id}" in str(caught.value) for slide in bad)
    assert (tmp_path / "tissue/good.geojson").exists()
    assert not (tmp_path / "tissue/manifests/0.tsv").exists()
    rows = run(tmp_path, *bad, good, missing=["absent"], on_bad_slide="exclude")
    assert [row.status for row in rows] == ["excluded"] * 4 + ["ok"]
    assert [row.status for row in read_manifest(tmp_path / "tissue/manifests/0.tsv")] == [row.status for row in rows]


def test_real_slides(tmp_path, real_data):
    folder = real_data / "slides"
    cmu = Slide("cmu", "p", folder / "cmu_small_region.svs", None)
    tcga = Slide("tcga", "p", folder / "tcga-cr-7395-01a-01-ts1.svs", 0.25)
    rows = run(tmp_path, cmu, tcga, replace(tcga, slide_id="unscaled", mpp=None), on_bad_slide="exclude")
    assert [row.status for row in rows] == ["ok", "ok", "excluded"]
    assert "`mpp`" in rows[2].message
    inside, outside = {}, {}
    for row in rows[:2]:
        outlines = Outlines.read(row.path)
        inside[row.slide_id] = [
            Point(p) for p in {"cmu": [(1200, 2000), (900, 1100)], "tcga": [(1500, 2500)]}[row.slide_id]
        ]
        outside[row.slide_id] = [
            Point(p) for p in {"cmu": [(300, 2000), (2100, 700)], "tcga": [(500, 500)]}[row.slide_id]
        ]
        assert all(any(polygon.contains(p) for polygon in outlines.polygons) for p in inside[row.slide_id])
        assert not any(polygon.contains(p) for p in outside[row.slide_id] for polygon in outlines.polygons)
        # Judged by eye on the pictures: some 0.64 mm2 each.
        assert sum(outlines.area_mm2(polygon) for polygon in outlines.polygons) == pytest.approx(0.64, abs=0.05)


def ndpi(path, text):
    """Write an NDPI file whose shading data say `text`, and return the row of its sheet."""
    text = b"Created=2016/01/01\r\n" + text + b"\0"
    numbers = [(65420, "I", 1, 1, True), (65421, "f", 1, 20.0, True)]
    offsets = [(tag, "i", 1, 0, True) for tag in (65422, 65423, 65424)]
    picture = np.full((512, 768, 3), (243, 241, 244), np.uint8)
    cv2.circle(picture, (384, 256), 200, (205, 130, 180), cv2.FILLED)
    tifffile.imwrite(
        path, picture, photometric="ycbcr", compression="jpeg", rowsperstrip=512, metadata=None, software="NDP.scan",
        extratags=[*numbers, *offsets, (65449, "s", len(text), text, True)],
        resolution=(2e4, 2e4), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return Slide(path.stem, "P", path, None)


@pytest.mark.parametrize(
    "text",
    [
        b";NDP Shading Data\r\nName=TxRed\r\nEmissionWaveLength=650\r\n",
        b";NDP Shading Data\r\nCubeName=TxRed\r\nExcitationWaveLength=560\r\nEmissionWaveLength=\r\n",
    ],
)
def test_an_ndpi_channel_of_fluorescence_says_so(tmp_path, text):
    with pytest.raises(StageError, match="the file's channel TxRed, of fluorescence"):
        run(tmp_path, ndpi(tmp_path / "F.ndpi", text))


@pytest.mark.parametrize("text", [b"", b"Name=Brightfield\r\nEmissionWaveLength=0\r\nExcitationWaveLength=\r\n"])
def test_an_ndpi_in_bright_light_is_not_taken_for_fluorescence(tmp_path, text):
    with pytest.raises(StageError) as caught:
        run(tmp_path, ndpi(tmp_path / "F.ndpi", text), settings=replace(SETTINGS, min_area_mm2=1e6))
    assert "fluorescence" not in str(caught.value)


def test_a_refused_slide_says_what_is_doubtful_about_its_scale(tmp_path, write_slide):
    blank = np.full((700, 900, 3), (243, 241, 244), np.uint8)
    with pytest.raises(StageError) as caught:
        run(tmp_path, write_slide(blank, file_mpp=2.0, sheet_mpp=1.0))
    assert "no tissue on the slide" in str(caught.value)
    assert "to check: the sample sheet says 1 um/px, the file's metadata 2" in str(caught.value)
