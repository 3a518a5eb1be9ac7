"""The user's own outlines of the tissue of one slide: GeoJSON exported by QuPath, or a mask image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon, box, shape
from shapely.geometry.base import BaseGeometry

from ccl.config.sections import TissueSettings
from ccl.io.checksums import sha256
from ccl.io.errors import SlideError
from ccl.io.progress import say
from ccl.io.sheets import Slide
from ccl.wsi.tissue.outlines import pieces_of, trace

OUTLINES = (".geojson", ".json")
MASKS = (".png", ".tif", ".tiff")

IGNORED = "ignore"
"""Beginning of the names of classes that are cut out, such as QuPath's own Ignore*; in lower case."""

OUTSIDE = 0.01
"""Share of an annotation that may lie outside the slide; it is cut off.  A larger share is an error."""

ASPECT = 0.01
"""Tolerance of a mask's proportions relative to the slide's, in addition to one pixel for rounding."""

MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""Exceptions of reading JSON of another layout, or nested too deeply."""


def annotation_digest(slide: Slide) -> str:
    """Return a digest of the whole content of a slide's annotation.

    Raises
    ------
    SlideError
        There is no such file.
    """
    return sha256(_file(slide))


def read_annotation(
    slide: Slide, dimensions: tuple[int, int], thumbnail_size: tuple[int, int], settings: TissueSettings
) -> tuple[Polygon, ...]:
    """Read the tissue that the user annotated on a slide.

    Polygons of a GeoJSON file count, or are cut out, by their class in QuPath.  If all of them are cut out and the
    annotation restricts the detected tissue, the rest of the slide counts.  Points and lines are ignored.  A polygon
    that crosses itself is repaired; areas that it covers twice count once.

    Parameters
    ----------
    slide : Slide
        A slide with an annotation.
    dimensions : tuple of int
        Width and height of the slide in level-0 pixels.
    thumbnail_size : tuple of int
        Width and height that a finer mask is averaged down to.
    settings : TissueSettings
        Classes, and how the annotation is used.

    Returns
    -------
    tuple of Polygon
        As :func:`ccl.wsi.tissue.outlines.trace` gives them.

    Raises
    ------
    SlideError
        The file is missing, of another kind, malformed, marks nothing, or does not fit the slide.
    """
    path = _file(slide)
    if path.suffix.lower() in OUTLINES:
        polygons = _from_geojson(slide, path, dimensions, settings)
    elif path.suffix.lower() in MASKS:
        found = _from_mask(slide, path, dimensions, thumbnail_size)
        polygons = (box(0, 0, *dimensions),) if settings.annotation == "cut" else found
    else:
        raise _refused(
            slide,
            "neither GeoJSON nor a mask image",
            found=f"a name that ends in {path.suffix or 'nothing'}",
            expected=", ".join((*OUTLINES, *MASKS)),
            todo="export the annotation as GeoJSON, or as a PNG or TIFF that is non-zero on tissue",
        )
    if not polygons:
        raise _refused(
            slide,
            "the annotation marks no tissue",
            found="no polygon with an area" if path.suffix.lower() in OUTLINES else "no pixel that is not zero",
            todo="annotate the slide's tissue, or leave the cell of the sample sheet empty",
        )
    return polygons


def read_classes(slide: Slide, dimensions: tuple[int, int], classes: Sequence[str]) -> tuple[Polygon, ...]:
    """Read the regions of some classes that the user annotated on a slide, without what is cut out.

    Parameters
    ----------
    slide : Slide
        A slide.
    dimensions : tuple of int
        Width and height of the slide in level-0 pixels.
    classes : sequence of str
        Classes of QuPath, in capital or small letters.

    Returns
    -------
    tuple of Polygon
        As :func:`ccl.wsi.tissue.outlines.trace` gives them.

    Raises
    ------
    SlideError
        The slide has no annotation with classes, none of the classes is in it, or it does not fit the slide.
    """
    if slide.annotation is None or slide.annotation.suffix.lower() not in OUTLINES:
        raise _refused(
            slide,
            "the slide has no annotation with classes",
            found="no GeoJSON file in the column `annotation` of the sample sheet",
            expected=f"polygons of the class {' or '.join(classes)}",
            todo="annotate the slide in QuPath, or leave it out of the cohort (`on_bad_slide: exclude`)",
        )
    settings = TissueSettings(annotation="replace", tissue_classes=tuple(classes))
    return _from_geojson(slide, _file(slide), dimensions, settings)


def _file(slide: Slide) -> Path:
    assert slide.annotation is not None, "called only for annotated slides"
    if not slide.annotation.is_file():
        raise _refused(
            slide,
            "the slide's annotation does not exist",
            found="no such file",
            expected="a file; its path counts from the sample sheet's own folder",
            todo="correct the path in the sample sheet, or leave the cell empty",
        )
    return slide.annotation


def _from_geojson(
    slide: Slide, path: Path, dimensions: tuple[int, int], settings: TissueSettings
) -> tuple[Polygon, ...]:
    kept, cut = _by_class(slide, _polygons(slide, path), settings)
    whole = box(0, 0, *dimensions)
    is_all = settings.annotation == "cut" or (cut and not kept and settings.annotation == "restrict")
    region = shapely.union_all([whole] if is_all else kept)
    inside = region.intersection(whole)
    if inside.area < (1 - OUTSIDE) * region.area:
        left, top, right, bottom = region.bounds
        raise _refused(
            slide,
            "the annotation lies outside the slide",
            found=f"x {left:g} to {right:g}, y {top:g} to {bottom:g}",
            expected=f"x 0 to {dimensions[0]}, y 0 to {dimensions[1]}, in level-0 pixels",
            todo="check that the annotation belongs to this slide; open MIRAX slides uncropped in QuPath",
        )
    return pieces_of(inside - shapely.union_all(cut))


def _by_class(
    slide: Slide, polygons: Sequence[tuple[str, BaseGeometry]], settings: TissueSettings
) -> tuple[list[BaseGeometry], list[BaseGeometry]]:
    """Return the polygons that count as tissue, and those that are cut out; polygons of other classes are neither."""
    wanted, unwanted = (
        {name.casefold() for name in names} for names in (settings.tissue_classes, settings.cut_classes)
    )
    cut = [polygon for name, polygon in polygons if name.startswith(IGNORED) or name in unwanted]
    rest = [(name, polygon) for name, polygon in polygons if not (name.startswith(IGNORED) or name in unwanted)]
    kept = [polygon for name, polygon in rest if not wanted or name in wanted]
    if wanted and not kept and settings.annotation != "cut":
        raise _refused(
            slide,
            "the annotation has no polygon of the classes that count as tissue",
            found=", ".join(sorted({name or "no class" for name, _ in polygons})) or "no polygon",
            expected=" or ".join(settings.tissue_classes),
            todo="annotate the slide, correct `tissue_classes`, or leave the cell of the sample sheet empty",
        )
    return [_valid(slide, polygon) for polygon in kept], [_valid(slide, polygon) for polygon in cut]


def _polygons(slide: Slide, path: Path) -> list[tuple[str, BaseGeometry]]:
    """Return the polygons of a FeatureCollection, a list of features, a feature or a geometry, each with its class."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        items = content if isinstance(content, list) else content.get("features", [content])
        classes = [_class(item) for item in items]
        shapes = [shapely.force_2d(shape(_geometry(item))) for item in items]
        if not np.isfinite(shapely.get_coordinates(shapes)).all():
            raise ValueError("a coordinate that is not a number")
    except (*MALFORMED, shapely.errors.ShapelyError) as error:
        raise _refused(
            slide,
            "the annotation is not GeoJSON",
            found=f"{type(error).__name__}: {error}",
            expected="a FeatureCollection or a list of features with polygons in level-0 pixels",
            todo="export the annotations again: in QuPath, File, Export objects as GeoJSON",
        ) from error
    parts = [
        (name, part)
        for name, whole in zip(classes, shapes, strict=True)
        for part in shapely.get_parts(shapely.get_parts(whole))
    ]
    return [(name, part) for name, part in parts if isinstance(part, Polygon)]


def _class(item: dict[str, Any]) -> str:
    """Return the class that QuPath gave an object, in lower case; an empty text if it has none."""
    properties = item.get("properties") or {}
    return str((properties.get("classification") or {}).get("name") or "").casefold()


def _geometry(item: dict[str, Any]) -> Any:
    return item["geometry"] if item["type"] == "Feature" else item


def _valid(slide: Slide, polygon: BaseGeometry) -> BaseGeometry:
    if shapely.is_valid(polygon):
        return polygon
    reason = shapely.is_valid_reason(polygon)
    say(f"slide {slide.slide_id}: repaired a polygon of the annotation: {reason}")
    return shapely.make_valid(polygon, method="structure", keep_collapsed=False)


def _from_mask(
    slide: Slide, path: Path, dimensions: tuple[int, int], thumbnail_size: tuple[int, int]
) -> tuple[Polygon, ...]:
    mask = _mask(slide, path)
    (height, width), (level0_width, level0_height) = mask.shape, dimensions
    expected = width * level0_height / level0_width
    if abs(height - expected) > max(1.0, height / width, ASPECT * expected):
        raise _refused(
            slide,
            "the mask has other proportions than the slide",
            found=f"{width} x {height} px, 1 to {height / width:.3f}",
            expected=f"those of {level0_width} x {level0_height} px, 1 to {level0_height / level0_width:.3f}",
            todo="check that the mask is this slide's, and of the whole slide",
        )
    if width > thumbnail_size[0]:
        mask = cv2.resize(mask.astype(np.uint8) * 255, thumbnail_size, interpolation=cv2.INTER_AREA) > 127
    scale = (level0_width / mask.shape[1], level0_height / mask.shape[0])
    return trace(mask, scale, min_area_px=0, min_hole_px=0)


def _mask(slide: Slide, path: Path) -> NDArray[np.bool_]:
    """Return (H, W) True where a grey or colour image is not zero; transparent pixels count as zero."""
    try:
        image, found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED), "a file that does not decode"
    except cv2.error as error:  # more than 2 ** 30 pixels
        image, found = None, " ".join(str(error).split())
    if image is None:
        raise _refused(
            slide,
            "the mask cannot be read",
            found=found,
            expected="a whole PNG or TIFF of at most 2^30 pixels",
            todo="save the mask again, smaller; 8 um per pixel is as fine as it is used",
        )
    if image.ndim == 2:
        return np.asarray(image != 0)
    opaque = image[..., 3] != 0 if image.shape[2] == 4 else np.True_
    return np.asarray((image[..., :3] != 0).any(axis=2) & opaque)


def _refused(slide: Slide, problem: str, *, found: str, expected: str = "", todo: str) -> SlideError:
    where = f"slide {slide.slide_id}, {slide.annotation}"
    return SlideError(problem, where=where, found=found, expected=expected, todo=todo)
