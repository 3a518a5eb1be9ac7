"""Outlines: as large as what they trace, valid, and the same after writing and reading."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from ccl.io.errors import InputError
from ccl.wsi.tissue.outlines import Outlines, stored_outlines, trace


def filled(*circles, shape=(200, 300)):
    """Draw circles (x, y, radius, value) one over the other."""
    mask = np.zeros(shape, np.uint8)
    for x, y, radius, value in circles:
        cv2.circle(mask, (x, y), radius, value, cv2.FILLED)
    return mask > 0


def test_area_and_place_are_those_of_the_mask():
    mask = np.zeros((100, 200), bool)
    mask[20:60, 50:150] = True
    (polygon,) = trace(mask, (16.0, 32.0), min_area_px=0, min_hole_px=0)
    assert polygon.bounds == (50 * 16, 20 * 32, 150 * 16, 60 * 32)
    assert polygon.area == pytest.approx(mask.sum() * 16 * 32, rel=0.01)


def test_tissue_up_to_the_edges_is_outlined_up_to_the_edges():
    (polygon,) = trace(np.ones((50, 80), bool), (10.0, 10.0), min_area_px=0, min_hole_px=0)
    assert polygon.area == pytest.approx(500 * 800, rel=0.005)
    assert polygon.bounds == (0, 0, 800, 500)


def test_small_pieces_are_dropped_and_small_holes_filled():
    mask = filled((80, 100, 60, 1), (60, 100, 20, 0), (100, 100, 6, 0), (220, 60, 30, 1), (260, 150, 6, 1))
    kept = trace(mask, (1.0, 1.0), min_area_px=500, min_hole_px=400)
    assert [len(polygon.interiors) for polygon in kept] == [1, 0]
    assert kept[0].area == pytest.approx(np.pi * (60**2 - 20**2), rel=0.03)
    assert kept[1].area == pytest.approx(np.pi * 30**2, rel=0.03)


def test_a_piece_inside_a_filled_hole_is_not_counted_twice():
    mask = filled((100, 100, 80, 1), (100, 100, 30, 0), (100, 100, 15, 1))
    (polygon,) = trace(mask, (1.0, 1.0), min_area_px=0, min_hole_px=10_000)
    assert polygon.area == pytest.approx(np.pi * 80**2, rel=0.03)
    kept = trace(mask, (1.0, 1.0), min_area_px=0, min_hole_px=0)
    assert len(kept) == 2


def test_nothing_gives_nothing():
    assert trace(np.zeros((20, 20), bool), (16.0, 16.0), min_area_px=0, min_hole_px=0) == ()


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    spread=st.floats(1.5, 6),
    scale=st.tuples(st.floats(1, 40), st.floats(1, 40)),
)
def test_outlines_are_valid_disjoint_and_within_the_slide(seed, spread, scale):
    grain = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(60, 90)), (0, 0), spread)
    mask = grain > 0
    kept = trace(mask, scale, min_area_px=0, min_hole_px=0)
    slide = box(0, 0, np.ceil(90 * scale[0]), np.ceil(60 * scale[1]))
    for polygon in kept:
        assert polygon.is_valid
        assert slide.covers(polygon)
        assert np.array(polygon.exterior.coords).round().tolist() == np.array(polygon.exterior.coords).tolist()
    total = sum(polygon.area for polygon in kept)
    assert total == pytest.approx(mask.sum() * scale[0] * scale[1], rel=0.06, abs=60 * max(scale) ** 2)
    for index, polygon in enumerate(kept):
        assert all(polygon.intersection(other).area == 0 for other in kept[index + 1 :])


OUTLINES = Outlines(
    "s1",
    0.2528,
    40_000,
    30_000,
    (Polygon([(0, 0), (4000, 0), (4000, 4000), (0, 4000)], [[(9, 9), (9, 99), (99, 99)]]),),
)


def test_outlines_survive_writing_and_reading(tmp_path):
    path = tmp_path / "s1.geojson"
    OUTLINES.write(path, "some key")
    assert Outlines.read(path) == OUTLINES
    assert stored_outlines(path) == ("some key", 1)


def test_the_file_is_what_qupath_opens(tmp_path):
    path = tmp_path / "s1.geojson"
    OUTLINES.write(path, "some key")
    content = json.loads(path.read_text())
    assert content["type"] == "FeatureCollection"
    assert content["ccl"] == {
        "key": "some key",
        "slide_id": "s1",
        "level0_mpp": 0.2528,
        "level0_width": 40_000,
        "level0_height": 30_000,
        "slide_fingerprint": "",
        "notes": [],
    }
    (feature,) = content["features"]
    assert feature["type"] == "Feature"
    assert feature["geometry"]["type"] == "Polygon"
    assert [len(ring) for ring in feature["geometry"]["coordinates"]] == [5, 4]
    properties = feature["properties"]
    assert properties["objectType"] == "annotation"
    assert properties["classification"] == {"name": "Tissue"}
    assert properties["area_mm2"] == pytest.approx((4000**2 - 90 * 90 / 2) * 0.2528**2 / 1e6)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"ccl": 1, "features": []}', '{"ccl": {}, "features": [1]}'])
def test_a_damaged_file_is_no_finished_one_and_an_error_to_read(tmp_path, content):
    path = tmp_path / "s1.geojson"
    path.write_text(content)
    assert stored_outlines(path) is None
    with pytest.raises(InputError) as caught:
        Outlines.read(path)
    assert str(path) in caught.value.where


def test_a_missing_file_is_no_finished_one(tmp_path):
    assert stored_outlines(tmp_path / "none.geojson") is None
