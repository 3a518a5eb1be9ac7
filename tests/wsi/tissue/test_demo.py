"""Tissue and tiles of the synthetic slides against the truth about them, at the config's defaults."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from shapely import get_parts
from shapely.geometry import Polygon, box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from ccl.config.sections import TileSettings, TissueSettings
from ccl.demo.plan import PENS, SlidePlan, plan_slides
from ccl.demo.risk import draw_risk
from ccl.demo.slides import make_slides
from ccl.io.formats import Tiles
from ccl.io.shards import Shard, run_shard
from ccl.io.sheets import Slide
from ccl.wsi.tile.stage import TileStage
from ccl.wsi.tissue.outlines import Outlines
from ccl.wsi.tissue.stage import TissueStage

PATIENTS = 16


TINTS = {
    "blue lowered by 7 %": (244.0, 242.0, 228.0),
    "pink": (244.0, 222.0, 234.0),
    "strong pink": (240.0, 205.0, 222.0),
    "brown, as of DAB": (232.0, 214.0, 196.0),
    "lavender": (228.0, 222.0, 245.0),
    "green": (226.0, 242.0, 228.0),
    "yellow": (244.0, 232.0, 195.0),
    "dim": (200.0, 198.0, 201.0),
}

TISSUE = TissueSettings(min_area_mm2=0.02)
"""The slides are smaller than a millimetre, and so are their pieces of tissue."""


class Found(NamedTuple):
    """One slide."""

    tissue: BaseGeometry
    tiles: list[Polygon]
    truth: dict[str, Any]

    def true(self, name: str) -> BaseGeometry:
        features = [f for f in self.truth["features"] if f["properties"]["classification"]["name"] == name]
        return unary_union([shape(feature["geometry"]) for feature in features])


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """Each colour of pen, a slide of 40x, one with a fold, one without a scale of its own, and two plain ones."""
    plans = plan_slides([f"P{i}" for i in range(PATIENTS)])
    plans = [plan for plan in plans if plan.pen or plan.mpp == 0.25 or plan.fold or plan.scale_in_sheet] + plans[:2]
    return made(tmp_path_factory.mktemp("demo"), plans)


@pytest.fixture(scope="module")
def tinted(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """A slide with glass of each tint, and one with a pen of each colour."""
    plain = SlidePlan("", 0, 0.5, None, fold=False, scale_in_sheet=False)
    plans = [replace(plain, slide_id=f"T{n}", patient=n, glass=glass) for n, glass in enumerate(TINTS.values())]
    plans += [replace(plain, slide_id=f"P-{pen}", patient=n, pen=pen) for n, pen in enumerate(PENS)]
    return made(tmp_path_factory.mktemp("tinted"), plans)


def made(folder: Path, plans: list[SlidePlan]) -> list[Found]:
    """Make slides, and outline and tile them."""
    make_slides(folder, plans, latents=draw_risk(PATIENTS, np.random.default_rng(0)).latents, seed=(0, 3))
    sheet = [Slide(plan.slide_id, "P", folder / plan.path, plan.mpp) for plan in plans]
    tissue, tile = (folder / stage / "manifests" / "0.tsv" for stage in ("tissue", "tile"))
    outlined = run_shard(TissueStage(folder / "tissue", TISSUE), Shard(sheet, None, tissue))
    tiled = run_shard(TileStage(folder / "tile", TileSettings()), Shard(sheet, tissue, tile))
    return [found(folder, *rows) for rows in zip(outlined, tiled, strict=True)]


def found(folder: Path, outlined: Any, tiled: Any) -> Found:
    tiles = Tiles.read(tiled.path)
    side = tiles.attributes["patch_size_level0"]
    return Found(
        unary_union(Outlines.read(outlined.path).polygons),
        [box(x, y, x + side, y + side) for x, y in tiles.coords.tolist()],
        json.loads((folder / "truth" / "slides" / f"{outlined.slide_id}.geojson").read_text()),
    )


def without_small_holes(tissue: BaseGeometry, mpp: float) -> BaseGeometry:
    """Return the truth as the settings ask for it, small holes filled."""
    least = TISSUE.min_hole_mm2 / (mpp / 1000) ** 2
    small = [Polygon(hole) for piece in get_parts(tissue) for hole in piece.interiors if Polygon(hole).area < least]
    return unary_union([tissue, *small])


def test_the_slides_show_what_makes_tissue_hard_to_find(slides: list[Found]) -> None:
    about = [slide.truth["ccl"] for slide in slides]
    assert {item["pen"] for item in about} == {None, "blue", "green", "black"}
    assert {item["level0_mpp"] for item in about} == {0.25, 0.5}
    assert any(item["fold"] for item in about)


def test_found_tissue_is_the_true_tissue(slides: list[Found]) -> None:
    for slide in slides:
        truth = without_small_holes(slide.true("Tissue"), slide.truth["ccl"]["level0_mpp"])
        usable = truth.difference(slide.true("Pen"))
        overlap = slide.tissue.intersection(usable).area / slide.tissue.union(usable).area
        assert overlap >= 0.95, f"{slide.truth['ccl']}: {overlap:.3f}"


def test_tinted_glass_and_pens_change_nothing(tinted: list[Found]) -> None:
    assert {slide.truth["ccl"]["pen"] for slide in tinted} == {None, *PENS}
    test_found_tissue_is_the_true_tissue(tinted)


def test_pen_is_no_tissue(slides: list[Found]) -> None:
    for slide in slides:
        pen = slide.true("Pen")
        assert slide.tissue.intersection(pen).area <= 0.01 * pen.area, slide.truth["ccl"]


def test_no_tile_is_background(slides: list[Found]) -> None:
    """A tile is kept from a share of one half; the outlines are those of a thumbnail."""
    for slide in slides:
        truth = without_small_holes(slide.true("Tissue"), slide.truth["ccl"]["level0_mpp"])
        shares = [tile.intersection(truth).area / tile.area for tile in slide.tiles]
        assert min(shares) >= 0.45, f"{slide.truth['ccl']}: {min(shares):.2f}"


def test_no_tile_with_tissue_is_missing(slides: list[Found]) -> None:
    for slide in slides:
        usable = slide.true("Tissue").difference(slide.true("Pen"))
        side = slide.tiles[0].bounds[2] - slide.tiles[0].bounds[0]
        corners = np.arange(0, slide.truth["ccl"]["level0_width"] - side + 1, side)
        grid = [box(x, y, x + side, y + side) for y in corners for x in corners]
        wanted = {cell.bounds for cell in grid if cell.intersection(usable).area >= 0.55 * cell.area}
        assert wanted <= {tile.bounds for tile in slide.tiles}, slide.truth["ccl"]
