"""What the files of a slide's features are called: by the slide's name here, by its file's name in most other tools."""

from __future__ import annotations

import re
from pathlib import Path

from ccl.io.sheets import Slide

SLIDE_SUFFIX = re.compile(
    r"(\.ome)?\.(svs|tiff?|ndpi|mrxs|scn|bif|vms|vmu|svslide|qptiff|czi|dcm|isyntax|sdpc|zarr|png|jpe?g)", re.IGNORECASE
)
"""What ends the name of a slide's file; anything else after a dot, as in TCGA's names, belongs to the slide's name."""


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
    """Return the files that may hold a slide's features, the likeliest first.

    Names: the ``slide_id``, and the stem of the sheet's ``path``, by which other tools call a slide.
    Folders: `folder`, CLAM's two in it, and, as STAMP keeps the tree that slides lie in, the one named like
    the slide's own.
    """
    names = [slide.slide_id, slide_stem(slide.slide_id), slide_stem(slide.path.name), slide.path.stem]
    files = [
        folder / inner / f"{name}{ending}"
        for name in names
        if name
        for ending, clam in ((".h5", "h5_files"), (".pt", "pt_files"))
        for inner in ("", clam, slide.path.parent.name)
    ]
    return list(dict.fromkeys(files))


def find_features(folder: Path, slide: Slide) -> Path | None:
    """Return the file of a slide's features, or None where there is none."""
    return next((path for path in candidates(folder, slide) if path.is_file()), None)
