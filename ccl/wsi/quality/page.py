"""The contact sheet: pictures and measures of every slide on one page that needs no network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.pages.html import render
from ccl.pages.provenance import provenance
from ccl.wsi.quality.slides import SlideQuality, to_table

QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)

MEASURES = (
    ("Tissue (mm²)", "tissue_mm2", "{:.2f}"),
    ("Tissue, share of the slide", "tissue_share", "{:.0%}"),
    ("Pieces of tissue", "pieces", "{:.0f}"),
    ("Patches", "tiles", "{:.0f}"),
    ("Scale at level 0 (µm/px)", "level0_mpp", "{:.4g}"),
    ("Width (mm)", "width_mm", "{:.1f}"),
    ("Height (mm)", "height_mm", "{:.1f}"),
)
"""Rows of the table of the cohort's range: label, column of ``slides.csv``, format."""


def render_contact_sheet(
    cohort: str, slides: Sequence[SlideQuality], folder: Path, *, synthetic: bool, embedded: bool
) -> str:
    """Return the whole page.

    Parameters
    ----------
    cohort : str
        The cohort's name.
    slides : sequence of SlideQuality
        Its slides, in the order of the page.
    folder : Path
        Folder of the page, from which pictures are linked.
    synthetic : bool
        Whether the cohort is invented.
    embedded : bool
        Whether the slides were embedded, so that what failed there is shown.
    """
    used = [slide for slide in slides if slide.status == "ok"]
    return render(
        "contact_sheet.html",
        "ccl.wsi.quality",
        title=f"Slides of {cohort}",
        synthetic=[cohort] if synthetic else [],
        slides=[_card(slide, number, folder) for number, slide in enumerate(slides)],
        embedded=embedded,
        noted=sum(bool(slide.notes) for slide in slides),
        used=len(used),
        excluded=len(slides) - len(used),
        annotated=sum(slide.annotated for slide in slides),
        patients=len({slide.patient_id for slide in slides}),
        without=sorted({slide.patient_id for slide in slides} - {slide.patient_id for slide in used}),
        tiles=sum(slide.tiles or 0 for slide in used),
        ranges=_ranges(to_table(used)) if used else [],
        **provenance(),
    )


def _card(slide: SlideQuality, number: int, folder: Path) -> dict[str, Any]:
    outline = "outline of the tissue"
    if not slide.measures:
        outline = "as it is" if slide.outline else "picture: the file cannot be read"
    others = [(own.grid, f"grid of patches, {own.tiling}") for own in slide.tilings[1:]]
    pictures = ((slide.outline, outline), (slide.tilings[0].grid, "grid of patches"), *others)
    return {
        "slide": slide,
        "number": number,
        "pictures": [(os.path.relpath(path, folder) if path else None, what) for path, what in pictures],
    }


def _ranges(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return quantiles of each measure over the slides in use."""
    return [
        (words, [form.format(value) for value in table[column].astype(float).quantile(list(QUANTILES))])
        for words, column, form in MEASURES
    ]
