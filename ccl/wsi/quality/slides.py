"""Results of ``tissue`` and ``tile`` for each slide of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ccl.io.errors import InputError
from ccl.io.files import existing
from ccl.io.formats import ManifestRow, read_manifest
from ccl.io.progress import progress
from ccl.io.sheets import Slide
from ccl.wsi.tissue.outlines import Outlines


@dataclass(frozen=True)
class Measures:
    """Measures of a slide with outlined tissue."""

    tissue_mm2: float
    tissue_share: float
    """Tissue as a share of the slide's area, 0 to 1."""
    pieces: int
    level0_mpp: float
    """um/px."""
    width_mm: float
    height_mm: float


@dataclass(frozen=True)
class SlideQuality:
    """One slide of the contact sheet."""

    slide_id: str
    patient_id: str
    reason: str
    """Why the slide was excluded, and by which stage; empty for a slide in use."""
    annotated: bool
    """Whether the user annotated its tissue."""
    measures: Measures | None
    """None if no tissue was found."""
    tiles: int | None
    """None if there is no tile."""
    outline: Path | None
    """Picture of the tissue's outline."""
    grid: Path | None
    """Picture of the tiles."""

    @property
    def status(self) -> str:
        """``ok`` or ``excluded``, as in manifests."""
        return "excluded" if self.reason else "ok"


def read_slides(sheet: Sequence[Slide], tissue: Sequence[Path], tile: Sequence[Path]) -> list[SlideQuality]:
    """Read the manifests of a cohort's slides and the outlines that they list.

    Returns
    -------
    list of SlideQuality
        Excluded slides first, then by area of tissue, least first.

    Raises
    ------
    InputError
        A slide is in no manifest, or a file that a manifest lists is missing or damaged.
    """
    outlined, tiled = _rows(tissue), _rows(tile)
    slides = [_slide(slide, outlined, tiled) for slide in progress(sheet, "quality", unit="slide")]
    return sorted(slides, key=lambda slide: (slide.status == "ok", _area(slide), slide.slide_id))


def to_table(slides: Sequence[SlideQuality]) -> pd.DataFrame:
    """Return ``slides.csv``: see docs/formats.md."""
    names = ("tissue_mm2", "tissue_share", "pieces", "level0_mpp", "width_mm", "height_mm")
    rows = [
        {
            "slide_id": slide.slide_id,
            "patient_id": slide.patient_id,
            "status": slide.status,
            "message": slide.reason,
            "annotated": "yes" if slide.annotated else "no",
            **{name: getattr(slide.measures, name, None) for name in names},
            "tiles": slide.tiles,
        }
        for slide in slides
    ]
    columns = ("slide_id", "patient_id", "status", "message", "annotated", *names, "tiles")
    return pd.DataFrame(rows, columns=list(columns)).astype({"pieces": "Int64", "tiles": "Int64"})


def _rows(manifests: Sequence[Path]) -> Mapping[str, tuple[ManifestRow, Path]]:
    """Return each slide's row and the folder of its stage."""
    return {row.slide_id: (row, path.parent.parent) for path in manifests for row in read_manifest(path)}


def _slide(
    slide: Slide, outlined: Mapping[str, tuple[ManifestRow, Path]], tiled: Mapping[str, tuple[ManifestRow, Path]]
) -> SlideQuality:
    for stage, rows in (("tissue", outlined), ("tile", tiled)):
        if slide.slide_id not in rows:
            raise InputError(
                "a slide is in no manifest",
                where=f"slide {slide.slide_id}, stage {stage}",
                expected="a row in one of the manifests",
                todo="name the manifests of all shards, or run the stage again",
            )
    (tissue, tissue_folder), (tile, tile_folder) = outlined[slide.slide_id], tiled[slide.slide_id]
    return SlideQuality(
        slide_id=slide.slide_id,
        patient_id=slide.patient_id,
        reason=tile.message if tile.status == "excluded" else "",
        annotated=slide.annotation is not None,
        measures=_measures(Outlines.read(tissue.path, key=tissue.key)) if tissue.status == "ok" else None,
        tiles=tile.count if tile.status == "ok" else None,
        outline=_picture(tissue, tissue_folder),
        grid=_picture(tile, tile_folder),
    )


def _picture(row: ManifestRow, folder: Path) -> Path | None:
    """Return the picture of a slide; None if it was excluded, as an older picture would mislead."""
    return existing(folder / f"{row.slide_id}.jpg") if row.status == "ok" else None


def _measures(outlines: Outlines) -> Measures:
    width_mm, height_mm = (
        side * outlines.level0_mpp / 1000 for side in (outlines.level0_width, outlines.level0_height)
    )
    tissue_mm2 = sum(outlines.area_mm2(polygon) for polygon in outlines.polygons)
    share = tissue_mm2 / (width_mm * height_mm)
    return Measures(tissue_mm2, share, len(outlines.polygons), outlines.level0_mpp, width_mm, height_mm)


def _area(slide: SlideQuality) -> float:
    return slide.measures.tissue_mm2 if slide.measures else 0.0
