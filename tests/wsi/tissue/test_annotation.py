"""A user's own annotation of the tissue: GeoJSON or a mask, restricting what is found or replacing it."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from shapely.geometry import LineString, Point, box, mapping

from ccl.config.sections import TissueSettings
from ccl.io.errors import SlideError, StageError
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import read_slide_sheet
from ccl.wsi.tissue.annotation import read_annotation, read_classes
from ccl.wsi.tissue.outlines import Outlines
from ccl.wsi.tissue.stage import TissueStage

RESTRICT = TissueSettings(mpp=8.0, threshold=0.06, min_area_mm2=0.05, min_hole_mm2=0.01, annotation="restrict")
REPLACE = replace(RESTRICT, annotation="replace")
SIZE = (1800, 1400)
DISC = Point(800, 700).buffer(500)
DRAWN = box(500, 100, 1700, 700) - box(700, 400, 900, 500)
"""Over the upper half of the tissue, with a hole in it, and over glass."""


@pytest.fixture
def slide(write_slide):
    """Return a slide of 2 um/px with a disc of tissue."""
    picture = np.full((*SIZE[::-1], 3), (243, 241, 244), np.uint8)
    cv2.circle(picture, (800, 700), 500, (205, 130, 180), cv2.FILLED)
    return write_slide(picture, file_mpp=2.0)


def feature(geometry, name="Tumor"):
    about = {"objectType": "annotation", "classification": {"name": name}}
    return {"type": "Feature", "id": "1", "geometry": mapping(geometry), "properties": about}


def annotated(slide, content, name="drawn.geojson"):
    path = slide.path.parent / name
    if isinstance(content, np.ndarray):
        cv2.imwrite(str(path), content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return replace(slide, annotation=path)


def read(slide, settings=RESTRICT):
    return read_annotation(slide, SIZE, (450, 350), settings)


def run(tmp_path, *slides, settings=RESTRICT, **options):
    shard = Shard(slides, None, tmp_path / "tissue/manifests/0.tsv", **options)
    return run_shard(TissueStage(tmp_path / "tissue", settings), shard)


def overlap(polygons, region):
    (polygon,) = polygons
    return polygon.intersection(region).area / polygon.union(region).area


def mask_of(region, size):
    """Draw a region on an image of `size`, 1 inside."""
    mask = np.zeros(size[::-1], np.uint8)
    scale = size[0] / SIZE[0]
    for ring, value in ((region.exterior, 1), *((hole, 0) for hole in region.interiors)):
        cv2.fillPoly(mask, [np.rint(np.array(ring.coords) * scale - 0.5).astype(np.int32)], value)
    return mask


def test_restrict_keeps_what_is_found_and_annotated(tmp_path, slide):
    (row,) = run(tmp_path, annotated(slide, feature(DRAWN)))
    polygons = Outlines.read(row.path).polygons
    assert overlap(polygons, DRAWN & DISC) >= 0.97
    assert not any(polygon.contains(Point(800, 450)) for polygon in polygons)


def test_replace_takes_the_annotation_as_it_is(tmp_path, slide):
    (row,) = run(tmp_path, annotated(slide, feature(DRAWN)), settings=REPLACE)
    (polygon,) = Outlines.read(row.path).polygons
    assert polygon.equals(DRAWN)


@pytest.mark.parametrize("settings", [RESTRICT, REPLACE])
def test_a_slide_without_annotation_is_outlined_as_ever(tmp_path, slide, settings):
    (row,) = run(tmp_path, slide, settings=settings)
    assert overlap(Outlines.read(row.path).polygons, DISC) >= 0.97


def test_how_annotations_are_used_makes_only_annotated_slides_again(tmp_path, slide):
    both = slide, replace(annotated(slide, feature(DRAWN)), slide_id="drawn")
    before = run(tmp_path, *both)
    after = run(tmp_path, *both, settings=REPLACE)
    assert [old.key == new.key for old, new in zip(before, after, strict=True)] == [True, False]


def test_another_content_of_the_annotation_makes_the_slide_again(tmp_path, slide):
    (before,) = run(tmp_path, annotated(slide, feature(DRAWN)))
    (after,) = run(tmp_path, annotated(slide, feature(box(500, 100, 1700, 600))))
    assert before.key != after.key
    assert max(y for p in Outlines.read(after.path).polygons for _, y in p.exterior.coords) == 600


@pytest.mark.parametrize(
    "content",
    [
        {"type": "FeatureCollection", "features": [feature(DRAWN)]},
        [feature(DRAWN)],
        feature(DRAWN),
        mapping(DRAWN),
        [feature(DRAWN & box(0, 0, 800, 1400)), feature(DRAWN & box(790, 0, 1800, 1400), "Stroma")],
        [feature(DRAWN & box(0, 0, 650, 1400) | DRAWN & box(950, 0, 1800, 1400)), feature(DRAWN)],
        [feature(DRAWN), feature(Point(10, 10)), feature(LineString([(0, 0), (9, 9)]))],
    ],
    ids=["collection", "list", "feature", "geometry", "overlapping", "multipolygon", "points and lines"],
)
def test_geojson_of_every_kind_is_read(slide, content):
    (polygon,) = read(annotated(slide, content))
    assert polygon.equals(DRAWN)


def test_outlines_of_the_stage_itself_may_be_an_annotation(tmp_path, slide):
    (row,) = run(tmp_path, slide)
    (outline,), (annotation,) = Outlines.read(row.path).polygons, read(replace(slide, annotation=row.path))
    assert annotation.equals(outline)


LEFT, RIGHT = box(300, 300, 800, 1100), box(800, 300, 1300, 1100)
HOLE = box(400, 500, 600, 700)


def classified(slide, **regions):
    names = {"ignored": "Ignore*", "necrosis": "Necrosis"}
    return annotated(slide, [feature(region, names.get(name, name)) for name, region in regions.items()])


def test_what_qupath_ignores_is_cut_out(slide):
    (polygon,) = read(classified(slide, Tumor=LEFT, ignored=HOLE))
    assert polygon.equals(LEFT - HOLE)


def test_named_classes_count_or_are_cut_out(slide):
    drawn = classified(slide, Tumor=LEFT, Stroma=RIGHT, necrosis=HOLE)
    (tumour,) = read(drawn, replace(RESTRICT, tissue_classes=("tumor",)))
    assert tumour.equals(LEFT)
    (rest,) = read(drawn, replace(RESTRICT, cut_classes=("Necrosis",)))
    assert rest.equals((LEFT | RIGHT) - HOLE)


def test_only_cut_out_areas_leave_the_rest_of_the_detected_tissue(tmp_path, slide):
    drawn = classified(slide, ignored=LEFT)
    (row,) = run(tmp_path, drawn)
    assert overlap(Outlines.read(row.path).polygons, DISC - LEFT) >= 0.95
    with pytest.raises(SlideError, match="marks no tissue"):
        read(drawn, REPLACE)


def test_an_annotation_without_the_classes_wanted_names_those_it_has(slide):
    with pytest.raises(SlideError, match="no polygon of the classes") as caught:
        read(classified(slide, Stroma=LEFT, necrosis=HOLE), replace(RESTRICT, tissue_classes=("Tumor",)))
    assert caught.value.found == "necrosis, stroma"
    assert caught.value.expected == "Tumor"


def test_classes_make_only_annotated_slides_again(tmp_path, slide):
    both = slide, replace(classified(slide, Tumor=LEFT, Stroma=RIGHT), slide_id="drawn")
    before = run(tmp_path, *both)
    after = run(tmp_path, *both, settings=replace(RESTRICT, tissue_classes=("Tumor",)))
    assert [old.key == new.key for old, new in zip(before, after, strict=True)] == [True, False]


def test_a_polygon_that_crosses_itself_is_repaired_and_told(slide, capsys):
    bow_tie = {"type": "Polygon", "coordinates": [[[100, 100], [500, 500], [500, 100], [100, 500], [100, 100]]]}
    polygons = read(annotated(slide, bow_tie))
    assert sum(polygon.area for polygon in polygons) == pytest.approx(400 * 200)
    assert "slide slide: repaired" in capsys.readouterr().err


def test_what_hangs_over_the_edge_a_little_is_cut_off(slide):
    (polygon,) = read(annotated(slide, mapping(box(-4, 100, 1000, 1000))))
    assert polygon.bounds == (0, 100, 1000, 1000)


@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
@pytest.mark.parametrize("size", [(225, 175), (450, 350), (1800, 1400), (449, 350)])
@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_of_any_size_is_placed_on_the_slide(slide, name, size, value):
    assert overlap(read(annotated(slide, mask_of(DRAWN, size) * np.uint8(value), name)), DRAWN) >= 0.97


def test_colours_and_deep_greys_count_and_transparency_does_not(slide):
    mask = mask_of(DRAWN, (450, 350))
    red, clear = np.zeros((2, *mask.shape, 4), np.uint8)
    red[..., 2], red[..., 3] = mask, 255
    clear[..., :3], clear[..., 3] = 255, 255 * mask
    for image in (mask.astype(np.uint16) * 300, red[..., :3], red, clear):
        assert overlap(read(annotated(slide, image, "mask.png")), DRAWN) >= 0.97


SQUARE = mapping(box(0, 0, 500, 500))


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("{", "a.geojson", "is not GeoJSON"),
        ('"text"', "a.geojson", "is not GeoJSON"),
        ("[" * 100_000, "a.geojson", "is not GeoJSON"),
        ('{"type": "Feature"}', "a.geojson", "is not GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[0, NaN], [0, 9], [9, 9]]]}', "a.geojson", "is not GeoJSON"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [9, 9]]]}', "a.geojson", "is not GeoJSON"),
        ({"type": "FeatureCollection", "features": []}, "a.geojson", "marks no tissue"),
        (feature(Point(3, 3)), "a.json", "marks no tissue"),
        (mapping(box(5000, 5000, 6000, 6000)), "a.geojson", "outside the slide"),
        (mapping(box(0, 0, 7200, 5600)), "a.geojson", "outside the slide"),
        (SQUARE, "a.xml", "neither GeoJSON nor a mask image"),
        ("text", "a.png", "cannot be read"),
        (np.zeros((350, 450), np.uint8), "a.png", "marks no tissue"),
        (np.ones((450, 350), np.uint8), "a.png", "other proportions"),
        (np.ones((350, 460), np.uint8), "a.tif", "other proportions"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_refused_by_name(slide, content, name, expected):
    with pytest.raises(SlideError, match=expected) as caught:
        read(annotated(slide, content, name))
    assert caught.value.where == f"slide slide, {slide.path.parent / name}"


def test_a_bad_annotation_costs_the_other_slides_nothing(tmp_path, slide):
    absent = replace(slide, slide_id="absent", annotation=tmp_path / "none.geojson")
    elsewhere = replace(annotated(slide, feature(box(1500, 1200, 1800, 1400))), slide_id="elsewhere")
    with pytest.raises(StageError) as caught:
        run(tmp_path, absent, elsewhere, slide)
    assert "absent: the slide's annotation does not exist" in str(caught.value)
    assert "elsewhere: no tissue on the slide where it is annotated" in str(caught.value)
    rows = run(tmp_path, absent, elsewhere, slide, on_bad_slide="exclude")
    assert [row.status for row in rows] == ["excluded", "excluded", "ok"]


def test_the_sheet_names_annotations_from_its_own_folder(tmp_path):
    sheet = "slide_id,patient_id,path,annotation\na,p,a.svs,drawn/a.geojson\nb,p,b.svs,\n"
    (tmp_path / "slides.csv").write_text(sheet)
    slides = read_slide_sheet(tmp_path / "slides.csv")
    assert [slide.annotation for slide in slides] == [tmp_path / "drawn" / "a.geojson", None]


def test_cut_takes_away_what_is_ignored_and_nothing_else(slide):
    cut = replace(RESTRICT, annotation="cut", cut_classes=("Necrosis",))
    hole, dead = box(700, 600, 900, 800), box(400, 600, 500, 700)
    content = [feature(DRAWN), feature(hole, "Ignore*"), feature(dead, "necrosis")]
    (whole,) = read(annotated(slide, content), cut)
    assert whole.symmetric_difference(box(0, 0, *SIZE) - hole - dead).area < 1
    (whole,) = read(annotated(slide, [feature(DRAWN)]), cut)
    assert whole.equals(box(0, 0, *SIZE))
    mask = np.zeros((350, 450), np.uint8)
    mask[100:200, 100:200] = 255
    (whole,) = read(annotated(slide, mask, "mask.png"), cut)
    assert whole.equals(box(0, 0, *SIZE)), "a mask cuts nothing out"


def test_classes_are_read_for_a_tiling_whatever_the_tissue(slide):
    content = [feature(DRAWN), feature(box(0, 0, 600, 400), "Ignore"), feature(DISC, "Stroma")]
    found = read_classes(annotated(slide, content), SIZE, ("TUMOR",))
    wanted = DRAWN - box(0, 0, 600, 400)
    assert sum(polygon.area for polygon in found) == pytest.approx(wanted.area)
    for other in (slide, annotated(slide, np.full((350, 450), 255, np.uint8), "mask.png")):
        with pytest.raises(SlideError, match="no annotation with classes"):
            read_classes(other, SIZE, ("Tumor",))
    with pytest.raises(SlideError, match="lies outside the slide"):
        read_classes(annotated(slide, [feature(box(5000, 0, 6000, 900))]), SIZE, ("Tumor",))
