"""The colour of tissue is that inside the outlines."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from shapely.geometry import box

from ccl.io.formats import ManifestRow, write_manifest
from ccl.predict.colours import tissue_colours
from ccl.wsi.tissue.outlines import Outlines


def test_only_tissue_counts_and_channels_are_in_order(tmp_path: Path) -> None:
    rows = []
    for slide in ("A", "B"):
        picture = np.full((100, 200, 3), 240, np.uint8)
        picture[20:80, 40:160] = (160, 80, 200)  # blue, green, red
        cv2.imwrite(str(tmp_path / f"{slide}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 100])
        tissue = box(450, 250, 1550, 750).difference(box(900, 400, 1100, 600))
        Outlines(slide, 0.5, 2000, 1000, (tissue,)).write(tmp_path / f"{slide}.geojson", "key")
        rows.append(ManifestRow(slide, "ok", tmp_path / f"{slide}.geojson", "key", 1, ""))
    write_manifest(tmp_path / "0.tsv", rows)
    (found,) = tissue_colours([tmp_path / "0.tsv"], ["A"])
    np.testing.assert_allclose(found, (200, 80, 160), atol=3)
    assert tissue_colours([tmp_path / "0.tsv"], ["C"]).shape == (0, 3)
