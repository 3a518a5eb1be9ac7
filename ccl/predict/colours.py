"""The colour of the tissue on slides, as stains and scanners make it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ccl.io.formats import read_manifest
from ccl.wsi.tissue.outlines import Outlines


def tissue_colours(manifests: Sequence[Path], slides: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean red, green and blue (S, 3; 0 to 255) of the tissue of some slides.

    They are read from the pictures of the tissue stage.  Slides without tissue or picture are left out.

    Parameters
    ----------
    manifests : sequence of Path
        Manifests of the tissue stage.
    slides : sequence of str
        The slides.
    """
    wanted = set(slides)
    rows = [row for path in manifests for row in read_manifest(path) if row.status == "ok" and row.slide_id in wanted]
    found = [colour for row in sorted(rows, key=lambda row: row.slide_id) if (colour := _colour(row.path)) is not None]
    return np.array(found).reshape(-1, 3)


def _colour(path: Path) -> NDArray[np.float64] | None:
    """Return the mean colour of the tissue with outlines in `path`, from the picture beside them."""
    picture = cv2.imread(str(path.with_suffix(".jpg")))
    if picture is None:
        return None
    outlines = Outlines.read(path)
    scale = np.array([picture.shape[1] / outlines.level0_width, picture.shape[0] / outlines.level0_height])
    inside = np.zeros(picture.shape[:2], np.uint8)
    for polygon in outlines.polygons:
        rings = [
            np.rint(np.asarray(ring.coords) * scale).astype(np.int32) for ring in (polygon.exterior, *polygon.interiors)
        ]
        cv2.fillPoly(inside, rings, 1)
    return picture[inside == 1].mean(axis=0)[::-1] if inside.any() else None
