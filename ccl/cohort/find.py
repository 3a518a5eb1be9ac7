"""Finding the slides in a folder, and whose they are."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ccl.io.errors import InputError, SlideError
from ccl.io.progress import progress
from ccl.io.sheets import SAFE_ID, Slide
from ccl.wsi.reader.by_openslide import open_file
from ccl.wsi.reader.scale import level0_mpp

SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")
"""Files that are looked at; whether one is a slide is for OpenSlide to say.  A folder of ``.dcm`` files is one too."""

STRANGERS = "slides of patients that the table does not have, left out"
UNUSABLE = "files that are not usable slides, left out"
UNSCALED = "slides without a usable scale, whose `mpp` (um per pixel at level 0) has to be filled in the sheet"

TCGA_BARCODE = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}(?![A-Za-z0-9])")
"""The patient's part of a barcode of TCGA: https://docs.gdc.cancer.gov/Encyclopedia/pages/TCGA_Barcode/."""


def find_slides(folder: Path) -> list[Path]:
    """Return the files in a folder and those below it that may be slides, and the folders of DICOM files, sorted.

    Hidden ones do not count.

    Raises
    ------
    InputError
        There are none.
    """
    found = sorted(_walk(folder))
    if not found:
        raise InputError(
            "no slides",
            where=str(folder),
            found=f"{sum(len(names) for _, _, names in os.walk(folder, followlinks=True))} files of other kinds",
            expected=f"{' '.join(SUFFIXES)} files or folders of .dcm files, in it or below",
            todo="correct the folder",
        )
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = [name for name in names if not name.startswith(".")]
        yield from (Path(place, name) for name in shown if name.lower().endswith(SUFFIXES))
        if any(name.lower().endswith(".dcm") for name in shown):
            yield Path(place)


def names_of(slide: Path, folder: Path) -> list[str]:
    """Return a slide's name and those of the folders that it lies in, from the inmost, up to but without `folder`."""
    return list(reversed(slide.relative_to(folder).parts)) or [folder.name]


def owner_of(names: Sequence[str], patients: Collection[str]) -> str | None:
    """Return the patient of a slide, who need not be among `patients` if its file is named by a barcode of TCGA.

    Parameters
    ----------
    names : sequence of str
        The name of the slide's file, then those of the folders that it lies in, from the inmost.
    patients : collection of str
        Identifiers; the longest that a name begins with counts, if no letter or digit follows: ``P1`` owns ``P1_a.svs``
        and not ``P10.svs``.
    """
    barcode = TCGA_BARCODE.match(names[0])
    if barcode:
        return barcode.group()
    for name in names:
        begun = [p for p in patients if name.startswith(p) and not name[len(p) : len(p) + 1].isalnum()]
        if begun:
            return max(begun, key=len)
    return None


def _identifiers(slides: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Return the slides by identifier: the file's name, and with the folders before it where that is not unique."""
    stems = {path: path.name if path.is_dir() else path.stem for path in slides}
    often = Counter(stems.values())
    found: dict[str, Path] = {}
    for path, stem in stems.items():
        name = stem if often[stem] == 1 else "-".join(path.relative_to(folder).parts)
        slide_id = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")
        if slide_id in found or not SAFE_ID.fullmatch(slide_id):
            raise InputError(
                "the name of a slide cannot become its identifier",
                where=str(path),
                found=f"`{slide_id}`" + (f", as of {found[slide_id]}" if slide_id in found else ""),
                expected="a name of its own with letters or digits in it, 200 characters at most",
                todo="rename the file",
            )
        found[slide_id] = path
    return found


def owned_slides(found: Sequence[Path], folder: Path, patients: Collection[str]) -> tuple[list[Slide], list[str]]:
    """Return the usable slides of patients in the table, and what is wrong with others or left out, by name.

    Raises
    ------
    InputError
        No slide is left, or a name cannot become an identifier.
    """
    rows: list[Slide] = []
    problems: dict[str, list[str]] = {STRANGERS: [], UNUSABLE: [], UNSCALED: []}
    for slide_id, path in progress(_identifiers(found, folder).items(), "slides", unit="slide"):
        owner = owner_of(names_of(path, folder), patients)
        if owner is None or owner not in patients:
            problems[STRANGERS].append(f"{path.name} ({owner or 'its name begins with no patient'})")
            continue
        slide = Slide(slide_id, owner, path.absolute(), None, None)
        try:
            file = open_file(slide)
        except SlideError as error:
            problems[UNUSABLE].append(f"{path.name} ({error.problem})")
            continue
        rows.append(slide)
        with file:
            try:
                level0_mpp(slide, file.properties)
            except SlideError as error:
                problems[UNSCALED].append(f"{slide_id} ({error.problem})")
    told = [f"{problem} ({len(names)}): {', '.join(names)}" for problem, names in problems.items() if names]
    if not rows:
        raise InputError(
            "no usable slide of a patient", where=str(folder), found="; ".join(told), todo="correct the slides"
        )
    return rows, told
