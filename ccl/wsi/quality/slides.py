"""Results of the slide stages for each slide of a cohort."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ccl.io.errors import InputError
from ccl.io.files import existing
from ccl.io.formats import ManifestRow, coords_attributes, read_manifest
from ccl.io.progress import progress
from ccl.io.repeats import repeated
from ccl.io.sheets import Slide
from ccl.wsi.tissue.outlines import Outlines

MOST_TISSUE = 0.9
"""Detected tissue on a larger share of a slide is doubtful: glass or dirt may have been taken for tissue."""


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
class Tiled:
    """The patches of a slide of one tiling."""

    tiling: str
    """Name of the tiling."""
    tiles: int | None
    """None if there is no tile."""
    filtered: str
    """Patches that were left out; empty if none were."""
    grid: Path | None
    """Picture of the tiles."""


@dataclass(frozen=True)
class SlideQuality:
    """One slide of the contact sheet."""

    slide_id: str
    patient_id: str
    reason: str
    """Why the slide was excluded, and by which stage; empty for a slide in use."""
    notes: tuple[str, ...]
    """What is doubtful about the slide."""
    annotated: bool
    """Whether the user annotated its tissue."""
    measures: Measures | None
    """None if no tissue was found."""
    tilings: tuple[Tiled, ...]
    """One or more."""
    outline: Path | None
    """Picture of the tissue's outline; of a slide refused by ``tissue``, the slide itself."""

    @property
    def tiles(self) -> int | None:
        """Tiles of the first tiling; None if there is no tile."""
        return self.tilings[0].tiles

    @property
    def status(self) -> str:
        """``ok`` or ``excluded``, as in manifests."""
        return "excluded" if self.reason else "ok"


def read_slides(
    sheet: Sequence[Slide], tissue: Sequence[Path], tile: Sequence[Path], embed: Sequence[Path] = ()
) -> list[SlideQuality]:
    """Read the manifests of a cohort's slides and the outlines that they list.

    Returns
    -------
    list of SlideQuality
        Excluded slides first, then those with notes, then by area of tissue, least first.

    Raises
    ------
    InputError
        A slide is in no manifest, or a file that a manifest lists is missing or damaged.
    """
    outlined, tiled = _rows(tissue), _by_tiling(tile)
    embedded = [_rows([path]) for path in embed]
    same = _same(sheet, next(iter(tiled.values())))
    slides = []
    for slide in progress(sheet, "quality", unit="slide"):
        one = _slide(slide, outlined, tiled)
        later = dict.fromkeys(rows[slide.slide_id].message for rows in embedded if slide.slide_id in rows)
        reason = one.reason or "; ".join(filter(None, later))
        slides.append(replace(one, reason=reason, notes=(*one.notes, *same.get(slide.slide_id, ()))))
    return sorted(slides, key=lambda slide: (slide.status == "ok", not slide.notes, _area(slide), slide.slide_id))


def _same(sheet: Sequence[Slide], tiled: Mapping[str, Row]) -> dict[str, list[str]]:
    """Return a note for each slide whose content an earlier slide has."""
    owner = {slide.slide_id: slide.patient_id for slide in sheet}
    rows = [tiled[slide.slide_id].row for slide in sheet if slide.slide_id in tiled]
    same = repeated((row.slide_id, row.key) for row in rows if row.status == "ok")
    return {slide: [f"the same content as slide {other} of patient {owner[other]}"] for slide, other in same.items()}


def to_table(slides: Sequence[SlideQuality]) -> pd.DataFrame:
    """Return ``slides.csv``: see docs/formats.md."""
    names = ("tissue_mm2", "tissue_share", "pieces", "level0_mpp", "width_mm", "height_mm")
    rows = [
        {
            "slide_id": slide.slide_id,
            "patient_id": slide.patient_id,
            "status": slide.status,
            "message": slide.reason,
            "notes": "; ".join(slide.notes),
            "annotated": "yes" if slide.annotated else "no",
            **{name: getattr(slide.measures, name, None) for name in names},
            **{
                _column(name, slide.tilings, n): getattr(own, name)
                for n, own in enumerate(slide.tilings)
                for name in PER_TILING
            },
        }
        for slide in slides
    ]
    tilings = slides[0].tilings if slides else (Tiled("tile", None, "", None),)
    counts = [_column("tiles", tilings, n) for n in range(len(tilings))]
    others = [_column(name, tilings, n) for n in range(len(tilings)) for name in PER_TILING]
    columns = ("slide_id", "patient_id", "status", "message", "notes", "annotated", *names, *others)
    return pd.DataFrame(rows, columns=list(columns)).astype(dict.fromkeys(["pieces", *counts], "Int64"))


PER_TILING = ("tiles", "filtered")
"""Columns that each tiling has."""


def _column(name: str, tilings: Sequence[Tiled], number: int) -> str:
    """Return the name of a column of a tiling; the first has no name of its own."""
    return f"{name} {tilings[number].tiling}" if number else name


class Row(NamedTuple):
    """A slide's row in a manifest."""

    row: ManifestRow
    folder: Path
    """Folder of the stage."""

    @property
    def message(self) -> str:
        """Why the slide was excluded."""
        return self.row.message


def _by_tiling(manifests: Sequence[Path]) -> Mapping[str, Mapping[str, Row]]:
    """Return each slide's row by the name of the tiling, which is that of its folder."""
    names = dict.fromkeys(path.parent.parent.name for path in manifests)
    return {name: _rows([path for path in manifests if path.parent.parent.name == name]) for name in names}


def _rows(manifests: Sequence[Path]) -> Mapping[str, Row]:
    """Return each slide's row."""
    return {row.slide_id: Row(row, path.parent.parent) for path in manifests for row in read_manifest(path)}


def _slide(slide: Slide, outlined: Mapping[str, Row], tiled: Mapping[str, Mapping[str, Row]]) -> SlideQuality:
    """Return a slide as ``tissue`` and ``tile`` left it."""
    for stage, rows in (("tissue", outlined), *(("tile", rows) for rows in tiled.values())):
        if slide.slide_id not in rows:
            raise InputError(
                "a slide is in no manifest",
                where=f"slide {slide.slide_id}, stage {stage}",
                expected="a row in one of the manifests",
                todo="name the manifests of all shards, or run the stage again",
            )
    tissue, tiles = outlined[slide.slide_id], {name: rows[slide.slide_id] for name, rows in tiled.items()}
    outlines = Outlines.read(tissue.row.path, key=tissue.row.key) if tissue.row.status == "ok" else None
    measures = _measures(outlines) if outlines else None
    return SlideQuality(
        slide_id=slide.slide_id,
        patient_id=slide.patient_id,
        reason="; ".join(dict.fromkeys(tile.message for tile in tiles.values() if tile.row.status == "excluded")),
        notes=(*(outlines.notes if outlines else ()), *_doubts(slide, measures)),
        annotated=slide.annotation is not None,
        measures=measures,
        tilings=tuple(_tiled(name, tile) for name, tile in tiles.items()),
        outline=_picture(tissue) if outlines else _refused(slide, tissue.folder),
    )


def _tiled(name: str, tile: Row) -> Tiled:
    if tile.row.status != "ok":
        return Tiled(name, None, "", None)
    return Tiled(name, tile.row.count, _filtered(tile.row.path), _picture(tile))


def _picture(row: Row) -> Path:
    """Return the picture of a slide that a stage could use."""
    return existing(row.folder / f"{row.row.slide_id}.jpg")


def _filtered(path: Path) -> str:
    """Return how many patches of a slide each filter took, and how many were not drawn, in words."""
    counts = json.loads(coords_attributes(path).get("filtered", "{}"))
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _refused(slide: Slide, folder: Path) -> Path | None:
    """Return the picture of a refused slide, if it could be drawn; a slide that is gone has only an older one."""
    picture = folder / "refused" / f"{slide.slide_id}.jpg"
    return picture if picture.exists() and slide.path.exists() else None


def _doubts(slide: Slide, measures: Measures | None) -> Iterator[str]:
    """Yield what is doubtful about a slide's measures."""
    if measures and measures.tissue_share > MOST_TISSUE and not slide.annotation:
        yield f"tissue on {measures.tissue_share:.0%} of the slide: look whether glass was taken for tissue"


def _measures(outlines: Outlines) -> Measures:
    width_mm, height_mm = (
        side * outlines.level0_mpp / 1000 for side in (outlines.level0_width, outlines.level0_height)
    )
    tissue_mm2 = sum(outlines.area_mm2(polygon) for polygon in outlines.polygons)
    share = tissue_mm2 / (width_mm * height_mm)
    return Measures(tissue_mm2, share, len(outlines.polygons), outlines.level0_mpp, width_mm, height_mm)


def _area(slide: SlideQuality) -> float:
    return slide.measures.tissue_mm2 if slide.measures else 0.0
