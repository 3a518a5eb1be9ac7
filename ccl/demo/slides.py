"""The slides of the synthetic cohort: their files, and the truth about their pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from shapely import get_parts, set_precision
from shapely.geometry import Polygon, mapping

from ccl.demo.anatomy import GRID_UM, SIDE_UM, Anatomy, Look, draw_anatomy
from ccl.demo.noise import Mask
from ccl.demo.plan import SlidePlan
from ccl.demo.render import draw_textures, render
from ccl.io.files import atomic_path, write_text
from ccl.io.progress import progress

TILE_PX = 256
DOWNSAMPLE = 4
"""Downsample from level 0 to level 1, the last one; a 40x slide therefore has no 20x level."""

JPEG_QUALITY = 85

REGIONS = {
    "Tissue": None,
    "Tumour": "shared",
    "Lymphocytes": "pathology",
    "Myxoid stroma": "synergy_slide",
    "Fold": None,
    "Pen": None,
}
"""The latent, if any, that drives the extent and look of each outline in the truth."""


def make_slides(out: Path, plans: Sequence[SlidePlan], *, latents: pd.DataFrame, seed: Sequence[int]) -> None:
    """Draw and write every slide, and ``truth/slides/{slide}.geojson``."""
    textures = draw_textures(np.random.default_rng(seed))
    for number, plan in enumerate(progress(plans, "demo", unit="slide")):
        rng = np.random.default_rng([*seed, number])
        look = Look.of(latents.iloc[plan.patient])
        anatomy = draw_anatomy(look, rng, fold=plan.fold, pen=plan.pen is not None)
        picture = render(anatomy, look, plan, textures=textures, rng=rng)
        write_slide(out / plan.path, picture, plan)
        write_text(out / "truth" / "slides" / f"{plan.slide_id}.geojson", json.dumps(truth(anatomy, plan)) + "\n")


def write_slide(path: Path, picture: NDArray[np.uint8], plan: SlidePlan) -> None:
    """Write a pyramid of JPEG tiles: an Aperio SVS, or a plain tiled TIFF if the file should have no scale.

    OpenSlide recognises an SVS by the first word of its description, and reads scale and objective from it.
    """
    side = picture.shape[0]
    small = (side // DOWNSAMPLE, side // DOWNSAMPLE)
    description = (
        f"Aperio layout, synthetic slide made by ccl\n{side}x{side} ({TILE_PX}x{TILE_PX}) JPEG/RGB Q={JPEG_QUALITY}"
        f"|AppMag = {10 / plan.mpp:g}|MPP = {plan.mpp:g}"
    )
    options: dict[str, Any] = {
        "photometric": "rgb",
        "tile": (TILE_PX, TILE_PX),
        "compression": "jpeg",
        "compressionargs": {"level": JPEG_QUALITY},
        "description": "synthetic slide made by ccl" if plan.scale_in_sheet else description,
        "software": False,
        "metadata": None,
    }
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary) as file:
        file.write(picture, **options)
        file.write(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), subfiletype=1, **options)


def truth(anatomy: Anatomy, plan: SlidePlan) -> dict[str, Any]:
    """Return a GeoJSON ``FeatureCollection`` of the regions in level-0 px, which QuPath opens.

    Each feature is a ``Polygon`` with holes; ``properties.factor`` names the latent that the region carries.
    """
    masks: Mapping[str, Mask] = {
        "Tissue": anatomy.tissue,
        "Tumour": anatomy.tumour,
        "Lymphocytes": anatomy.lymphocytes,
        "Myxoid stroma": anatomy.myxoid,
        "Fold": anatomy.fold,
        "Pen": anatomy.pen,
    }
    features = [
        {
            "type": "Feature",
            "geometry": mapping(polygon),
            "properties": {"objectType": "annotation", "classification": {"name": name}, "factor": REGIONS[name]},
        }
        for name, mask in masks.items()
        for polygon in outlines(mask, plan.mpp)
    ]
    side = round(SIDE_UM / plan.mpp)
    about = {
        "slide_id": plan.slide_id,
        "level0_mpp": plan.mpp,
        "level0_width": side,
        "level0_height": side,
        "pen": plan.pen,
        "fold": plan.fold,
    }
    return {"type": "FeatureCollection", "features": features, "ccl": about}


def outlines(mask: Mask, mpp: float) -> list[Polygon]:
    """Return the outlines of a mask on the grid as polygons with holes, in whole level-0 px.

    OpenCV's rings run through the centres of the outermost pixels; they are moved out by half a pixel.
    """
    fine_um = GRID_UM / 2
    size = (mask.shape[1] * 2, mask.shape[0] * 2)
    large = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    contours, hierarchy = cv2.findContours(large.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if hierarchy is None:
        return []
    rings = [(ring[:, 0] + 0.5) * fine_um / mpp for ring in contours]
    parents = hierarchy[0][:, 3]
    polygons = []
    for index, ring in enumerate(rings):
        if parents[index] >= 0 or len(ring) < 4:
            continue
        holes = [hole for hole, parent in zip(rings, parents, strict=True) if parent == index and len(hole) >= 4]
        polygon = Polygon(ring, holes).buffer(fine_um / mpp / 2, join_style="mitre").simplify(0.5 / mpp)
        polygons += [part for part in get_parts(set_precision(polygon, 1.0)) if not part.is_empty]
    return polygons
