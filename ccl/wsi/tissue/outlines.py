"""Outlines of tissue as polygons with holes in level-0 pixels, and their GeoJSON file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from shapely.geometry import Polygon, mapping
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from ccl.io.errors import InputError
from ccl.io.files import read_json, write_json
from ccl.io.formats import check_key

SMOOTHING_PX = 1.0
"""Standard deviation of the blur that smooths the outline, in pixels of the mask."""

SIMPLIFY_PX = 0.4
"""Largest distance of a simplified outline from the full one, in pixels of the mask."""


@dataclass(frozen=True)
class Outlines:
    """The tissue of one slide (``tissue/{slide}.geojson``)."""

    slide_id: str
    level0_mpp: float
    """um/px."""
    level0_width: int
    level0_height: int
    polygons: tuple[Polygon, ...]
    """Pieces of tissue with their holes, in level-0 pixels, largest first; no two overlap."""
    fingerprint: str = ""
    """Digest of the slide's content; empty in a file of an older version."""
    notes: tuple[str, ...] = ()
    """What is doubtful about the slide, for the contact sheet."""

    def area_mm2(self, polygon: Polygon) -> float:
        """Return the area of a piece without its holes, in mm2."""
        return float(polygon.area) * (self.level0_mpp / 1000) ** 2

    def write(self, path: Path, key: str) -> None:
        """Write the GeoJSON atomically under the stage's `key`."""
        features = [
            {
                "type": "Feature",
                "geometry": mapping(polygon),
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": "Tissue"},
                    "area_mm2": round(self.area_mm2(polygon), 6),
                },
            }
            for polygon in self.polygons
        ]
        about = {
            "key": key,
            "slide_id": self.slide_id,
            "level0_mpp": self.level0_mpp,
            "level0_width": self.level0_width,
            "level0_height": self.level0_height,
            "slide_fingerprint": self.fingerprint,
            "notes": list(self.notes),
        }
        write_json(path, {"type": "FeatureCollection", "ccl": about, "features": features}, checksum=True)

    @classmethod
    def read(cls, path: Path, *, key: str | None = None) -> Outlines:
        """Read a file that :meth:`write` wrote, under `key` if it is given.

        Raises
        ------
        InputError
            The file is missing, is not such a file, or has another key.
        """
        about, features = _parts(path)
        try:
            check_key(path, str(about["key"]), key)
            return cls(
                slide_id=str(about["slide_id"]),
                level0_mpp=float(about["level0_mpp"]),
                level0_width=int(about["level0_width"]),
                level0_height=int(about["level0_height"]),
                polygons=tuple(
                    Polygon(outer, holes) for outer, *holes in (item["geometry"]["coordinates"] for item in features)
                ),
                fingerprint=str(about.get("slide_fingerprint", "")),
                notes=tuple(map(str, about.get("notes", ()))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _malformed(path, f"{type(error).__name__}: {error}") from error


def stored_outlines(path: Path) -> tuple[str, int] | None:
    """Return the key and the number of outlines of a finished file, or None if there is none."""
    try:
        about, features = _parts(path)
        return str(about["key"]), len(features)
    except (InputError, KeyError):
        return None


def refused_file(folder: Path, slide_id: str) -> Path:
    """Return ``tissue/refused/{slide}.json``: the content of a slide that was refused."""
    return folder / "refused" / f"{slide_id}.json"


def outlined_content(folder: Path, slide_id: str) -> str:
    """Return the digest of the slide that was outlined or refused (:func:`ccl.wsi.reader.opening.slide_fingerprint`).

    It is empty if nothing is known, as for results of an older version.
    """
    for path in (refused_file(folder, slide_id), folder / f"{slide_id}.geojson"):
        if path.exists():
            about = read_json(path)
            return str(about.get("ccl", about).get("slide_fingerprint", ""))
    return ""


def _parts(path: Path) -> tuple[dict[str, Any], list[Any]]:
    content = read_json(path)
    try:
        return dict(content["ccl"]), list(content["features"])
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(path, "no members `ccl` and `features`") from error


def _malformed(path: Path, found: str) -> InputError:
    return InputError(
        "not a file of the tissue stage",
        where=str(path),
        found=found,
        expected="GeoJSON as docs/formats.md describes tissue",
        todo="delete the file and run its stage again with --forcerun",
    )


def trace(
    mask: NDArray[np.bool_], scale: tuple[float, float], *, min_area_px: float, min_hole_px: float
) -> tuple[Polygon, ...]:
    """Trace a mask as polygons with holes.

    Parameters
    ----------
    mask : ndarray of bool, (H, W)
        True on tissue.
    scale : tuple of float
        Level-0 pixels per pixel of the mask in x and y.
    min_area_px, min_hole_px : float
        Pieces (without their holes) and holes of a smaller area, in level-0 square pixels, are dropped and filled.

    Returns
    -------
    tuple of Polygon
        Valid, on whole level-0 pixels, largest first; outer rings counter-clockwise as GeoJSON has it.
    """
    # A border of one background pixel closes the outlines at the slide's edges.
    field = np.pad(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), SMOOTHING_PX), 1)
    filled = contour_generator(z=field, fill_type=FillType.OuterOffset).filled(0.5, 2.0)
    pieces = [
        _without_small_holes(_polygon(points, offsets, scale), min_hole_px)
        for points, offsets in zip(*filled, strict=True)
    ]
    # Filling a hole may swallow a piece inside it, so the pieces are joined.
    return pieces_of(shapely.union_all(pieces).simplify(SIMPLIFY_PX * min(scale)), min_area_px)


def pieces_of(region: BaseGeometry, min_area_px: float = 0.0) -> tuple[Polygon, ...]:
    """Return a region's polygons of at least `min_area_px` level-0 square pixels, as :func:`trace` does."""
    parts = shapely.get_parts(shapely.set_precision(region, 1.0))
    kept = [orient(part) for part in parts if isinstance(part, Polygon) and part.area >= max(min_area_px, 1.0)]
    return tuple(sorted(kept, key=lambda polygon: (-polygon.area, polygon.bounds)))


def _polygon(points: NDArray[np.float64], offsets: NDArray[np.uint32], scale: tuple[float, float]) -> Polygon:
    """Make one polygon of contourpy's rings, without the padding of one pixel; pixel centres are at 0.5."""
    outer, *holes = np.split((points - 0.5) * np.array(scale), offsets[1:-1])
    return Polygon(outer, holes)


def _without_small_holes(polygon: Polygon, min_hole_px: float) -> Polygon:
    large = [ring for ring in polygon.interiors if Polygon(ring).area >= min_hole_px]
    return Polygon(polygon.exterior, large).buffer(0)
