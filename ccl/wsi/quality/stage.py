"""The quality stage: writes one table and one page from the manifests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccl.io.files import write_table, write_text
from ccl.io.sheets import read_slide_sheet
from ccl.wsi.quality.page import render_contact_sheet
from ccl.wsi.quality.slides import read_slides, to_table


def make_contact_sheet(
    out: Path,
    *,
    cohort: str,
    slides: Path,
    tissue: Sequence[Path],
    tile: Sequence[Path],
    embed: Sequence[Path] = (),
    synthetic: bool,
) -> None:
    """Write ``slides.csv`` and ``contact_sheet.html``, which shows the pictures beside the slides' files.

    Parameters
    ----------
    out : Path
        Folder of the stage.
    cohort : str
        The cohort's name.
    slides : Path
        Sample sheet.
    tissue, tile, embed : sequence of Path
        Manifests of all shards; those of ``embed`` for all encoders, or none before the slides are embedded.
    synthetic : bool
        Whether the cohort is invented; then the page says so.

    Raises
    ------
    InputError
        A slide is in no manifest, or a file that a manifest lists is missing or damaged.
    """
    found = read_slides(read_slide_sheet(slides), tissue, tile, embed)
    write_table(out / "slides.csv", to_table(found))
    page = render_contact_sheet(cohort, found, out, synthetic=synthetic, embedded=bool(embed))
    write_text(out / "contact_sheet.html", page)
