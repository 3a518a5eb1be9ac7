"""Names of feature files: the slide's name in ccl, the name of the slide's file in most other tools."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ccl.io.sheets import Slide

SLIDE_SUFFIX = re.compile(
    r"(\.ome)?\.(svs|tiff?|ndpi|mrxs|scn|bif|vms|vmu|svslide|qptiff|czi|dcm|isyntax|sdpc|zarr|png|jpe?g)", re.IGNORECASE
)
"""Endings of slide files; anything else after a dot belongs to the slide's name, as in TCGA."""


ENDINGS = {".h5": "h5_files", ".hdf5": "h5_files", ".pt": "pt_files", ".npy": "pt_files"}
"""Endings of feature files, the most likely first, and the folder where CLAM keeps each."""


def slide_stem(name: str) -> str:
    """Return the name of a slide's file without its ending.

    >>> slide_stem("TCGA-2F-A9KO-01Z-00-DX1.195576CF.svs"), slide_stem("a.ome.tif"), slide_stem("1.2.840")
    ('TCGA-2F-A9KO-01Z-00-DX1.195576CF', 'a', '1.2.840')
    """
    for match in SLIDE_SUFFIX.finditer(name):
        if match.end() == len(name):
            return name[: match.start()]
    return name


def candidates(folder: Path, slide: Slide) -> list[Path]:
    """Return the files that may hold a slide's features, the most likely first.

    Names are the ``slide_id``, and the stem of the sheet's ``path``, which other tools use.  Folders are `folder`,
    CLAM's two folders in it, and the one named like the slide's own folder, because STAMP keeps the tree of slides.
    """
    names = [slide.slide_id, slide_stem(slide.slide_id), slide_stem(slide.path.name), slide.path.stem]
    files = [
        folder / inner / f"{name}{ending}"
        for name in names
        if name
        for ending, clam in ENDINGS.items()
        for inner in ("", clam, slide.path.parent.name)
    ]
    return list(dict.fromkeys(files))


def find_vector(folder: Path, slide: Slide) -> Path | None:
    """Return the file of a slide's vector, or else that of its patient, or None if there is neither."""
    return find_features(folder, slide) or find_features(folder, replace(slide, slide_id=slide.patient_id, path=Path()))


def find_features(folder: Path, slide: Slide) -> Path | None:
    """Return the file of a slide's features, or None if there is none."""
    return next((path for path in candidates(folder, slide) if path.is_file()), None)
