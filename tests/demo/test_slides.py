"""The synthetic slides: real files, and pixels that agree with the truth about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openslide
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import Polygon, shape
from shapely.ops import unary_union

from ccl.demo.anatomy import GRID_SIDE, Anatomy, Look, draw_anatomy
from ccl.demo.plan import plan_slides
from ccl.io.errors import SlideError
from ccl.io.files import read_json
from ccl.io.sheets import Slide, read_slide_sheet
from ccl.wsi.reader.opening import open_slide

REGIONS_APART = ("Tumour", "Lymphocytes", "Myxoid stroma")


def shapes(truth: dict[str, Any], name: str) -> list[Polygon]:
    return [shape(f["geometry"]) for f in truth["features"] if f["properties"]["classification"]["name"] == name]


def raster(truth: dict[str, Any], name: str, pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the region on the grid of `pixels`, a level of the slide."""
    scale = pixels.shape[0] / truth["ccl"]["level0_height"]
    mask = np.zeros(pixels.shape[:2], np.uint8)
    for polygon in shapes(truth, name):
        rings = [np.floor(np.array(ring.coords) * scale).astype(np.int32) for ring in [polygon.exterior]]
        holes = [np.floor(np.array(ring.coords) * scale).astype(np.int32) for ring in polygon.interiors]
        part = cv2.fillPoly(np.zeros_like(mask), rings, 1)
        mask |= cv2.fillPoly(part, holes, 0)
    return mask.astype(bool)


@pytest.fixture(scope="module")
def slides(cohort: Path) -> list[tuple[dict[str, Any], NDArray[np.uint8]]]:
    """Truth and pixels, the latter of level 0 of 20x slides and of level 1 of a 40x slide."""
    found = []
    for slide in read_slide_sheet(cohort / "slides.csv"):
        with openslide.OpenSlide(slide.path) as file:
            picture = file.get_thumbnail((1536, 1536))
        truth = read_json(cohort / "truth" / "slides" / f"{slide.slide_id}.geojson")
        found.append((truth, np.asarray(picture.convert("RGB"))))
    return found


def test_openslide_opens_every_slide_as_stated(cohort: Path) -> None:
    sheet = read_slide_sheet(cohort / "slides.csv")
    assert len(sheet) == 6
    for slide in sheet:
        truth = read_json(cohort / "truth" / "slides" / f"{slide.slide_id}.geojson")["ccl"]
        with openslide.OpenSlide(slide.path) as file:
            side = truth["level0_width"]
            assert file.level_dimensions == ((side, side), (side // 4, side // 4))
            assert side * truth["level0_mpp"] == 768
            assert file.properties["openslide.level[0].tile-width"] == "256"
            if slide.mpp is None:
                assert file.properties["openslide.vendor"] == "aperio"
                assert float(file.properties["openslide.mpp-x"]) == truth["level0_mpp"]
                assert float(file.properties["openslide.objective-power"]) == 10 / truth["level0_mpp"]
            small, full = (
                np.asarray(file.read_region((0, 0), level, file.level_dimensions[level]).convert("L"))
                for level in (1, 0)
            )
        average = cv2.resize(full, small.shape, interpolation=cv2.INTER_AREA)
        assert np.corrcoef(small.ravel(), average.ravel())[0, 1] > 0.99, "level 1 shows what level 0 shows"


def test_one_slide_says_no_scale_so_the_sheet_must(cohort: Path) -> None:
    given_by_sheet = [slide for slide in read_slide_sheet(cohort / "slides.csv") if slide.mpp is not None]
    assert len(given_by_sheet) == 1
    slide = given_by_sheet[0]
    with open_slide(slide) as reader:
        assert reader.mpp == slide.mpp == 0.5
    with pytest.raises(SlideError, match="does not say its scale"):
        open_slide(Slide(slide.slide_id, slide.patient_id, slide.path, None))


def test_forty_patients_have_the_variety_that_was_promised() -> None:
    plans = plan_slides([f"P{i}" for i in range(40)])
    assert len(plans) == 48
    assert sum(plan.mpp == 0.25 for plan in plans) == 2
    assert sum(plan.scale_in_sheet for plan in plans) == 1
    assert {plan.pen for plan in plans} == {None, "blue", "green", "black"}
    assert sum(plan.fold for plan in plans) >= 5
    assert len({plan.slide_id for plan in plans}) == 48


def test_the_tissue_of_the_truth_is_what_is_not_white(slides: list[tuple[dict[str, Any], NDArray[np.uint8]]]) -> None:
    for truth, pixels in slides:
        smooth = cv2.GaussianBlur(pixels, (0, 0), 1.5)
        # Green is what both stains absorb; the white of the glass is 242.
        stained = smooth[..., 1] < 228
        tissue, pen = raster(truth, "Tissue", pixels), raster(truth, "Pen", pixels)
        away_from_pen = ~cv2.dilate(pen.astype(np.uint8), np.ones((9, 9))).astype(bool)
        both, either = (stained & tissue & away_from_pen).sum(), ((stained | tissue) & away_from_pen).sum()
        assert both / either > 0.97, truth["ccl"]
        assert stained[tissue | pen].mean() > 0.97


def test_pen_and_folds_are_where_the_truth_says(slides: list[tuple[dict[str, Any], NDArray[np.uint8]]]) -> None:
    seen = {"pen": 0, "fold": 0}
    for truth, pixels in slides:
        assert bool(shapes(truth, "Pen")) == (truth["ccl"]["pen"] is not None)
        assert bool(shapes(truth, "Fold")) == truth["ccl"]["fold"]
        tissue = raster(truth, "Tissue", pixels)
        if truth["ccl"]["pen"]:
            seen["pen"] += 1
            red, _, blue = pixels[raster(truth, "Pen", pixels) & ~tissue].mean(axis=0)
            assert red < 80
            assert (blue > 120) == (truth["ccl"]["pen"] == "blue")
        if truth["ccl"]["fold"]:
            seen["fold"] += 1
            fold = raster(truth, "Fold", pixels)
            beside = cv2.dilate(fold.astype(np.uint8), np.ones((61, 61))).astype(bool) & tissue & ~fold
            assert pixels[fold].mean() < 0.85 * pixels[beside].mean()
    assert min(seen.values()) > 0


def test_the_regions_that_carry_risk_lie_apart_inside_the_tissue_and_look_different(
    slides: list[tuple[dict[str, Any], NDArray[np.uint8]]], cohort: Path
) -> None:
    columns = pd.read_csv(cohort / "truth" / "patients.csv").columns
    for truth, pixels in slides:
        for feature in truth["features"]:
            assert shape(feature["geometry"]).is_valid
            factor = feature["properties"]["factor"]
            assert factor is None or f"latent_{factor}" in columns
        tissue = unary_union(shapes(truth, "Tissue")).buffer(2 / truth["ccl"]["level0_mpp"])
        parts = [unary_union(shapes(truth, name)) for name in REGIONS_APART]
        for part in parts:
            assert part.difference(tissue).area < 0.01 * part.area
        overlap = sum(part.area for part in parts) - unary_union(parts).area
        assert overlap < 0.03 * tissue.area
        masks = {name: raster(truth, name, pixels) for name in REGIONS_APART}
        red = {name: pixels[mask, 0].mean() for name, mask in masks.items() if mask.sum() > 2000}
        assert red["Tumour"] < red["Myxoid stroma"] - 20, "nuclei absorb red"


def patches(anatomy: Anatomy) -> int:
    """Count patches of 128 um, from the slide's corner, at least half of which is tissue."""
    cells = anatomy.tissue.reshape(6, GRID_SIDE // 6, 6, GRID_SIDE // 6)
    return int((cells.mean(axis=(1, 3)) >= 0.5).sum())


look = st.floats(0.01, 0.99)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.builds(Look, look, look, look))
def test_every_slide_has_tissue_for_at_least_eight_patches(seed: int, looks: Look) -> None:
    anatomy = draw_anatomy(looks, np.random.default_rng(seed), fold=False, pen=False)
    assert 10 <= patches(anatomy) <= 26


@pytest.mark.parametrize("region", ["tumour", "lymphocytes", "myxoid"])
def test_a_latent_extends_its_own_region(region: str) -> None:
    def share(value: float, seed: int) -> float:
        looks = {name: value if name == region else 0.5 for name in ("tumour", "lymphocytes", "myxoid")}
        anatomy = draw_anatomy(Look(**looks), np.random.default_rng(seed), fold=False, pen=False)
        return float(getattr(anatomy, region).sum() / anatomy.tissue.sum())

    for seed in range(4):
        assert share(0.95, seed) > 2 * share(0.05, seed)
