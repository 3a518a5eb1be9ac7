"""Finding the slides of a folder or of a GDC manifest, and whose they are."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccl.io.errors import ConfigError, InputError
from ccl.io.gdc import GdcFile, SampledFile, read_gdc_manifest, read_samples
from ccl.io.progress import say
from ccl.io.sheets import SAFE_ID

SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")
"""Files that are looked at; whether one is a slide is for OpenSlide to say.  A folder of ``.dcm`` files is one too."""

TCGA_BARCODE = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}(?![A-Za-z0-9])")
"""The patient's part of a barcode of TCGA: https://docs.gdc.cancer.gov/Encyclopedia/pages/TCGA_Barcode/."""


@dataclass(frozen=True)
class Candidate:
    """A file that may become a row of the slide sheet."""

    slide_id: str
    path: Path
    names: tuple[str, ...]
    """The name of the file, then those of the folders that it lies in, from the inmost; they may tell the patient."""
    file: GdcFile | None = None
    """Its line of the manifest; a file of a manifest need not be downloaded yet."""
    sample: SampledFile | None = None
    """Its entry in the sample sheet, which then tells the patient; None if there is no sample sheet."""


def find_candidates(source: Path, sample_sheet: Path | None = None) -> list[Candidate]:
    """Return the slides of a folder, or those that a GDC manifest lists, sorted by identifier.

    The files of a manifest are in the folder of the manifest, or will be downloaded there (:meth:`GdcFile.below`).

    Parameters
    ----------
    source : Path
        A folder, or a manifest.
    sample_sheet : Path, optional
        GDC's sample sheet or metadata of the cart, which name the patient of each file of the manifest.

    Raises
    ------
    InputError
        There is no slide, the manifest or the sample sheet cannot be read, or a name cannot become an identifier.
    ConfigError
        A sample sheet without a manifest.
    """
    if source.is_dir():
        if sample_sheet:
            raise ConfigError(
                "a sample sheet belongs to a manifest",
                where="--sample-sheet",
                found=f"{source}, a folder",
                expected="a GDC manifest, whose ids the sample sheet has",
                todo="name the manifest instead of the folder, or leave --sample-sheet out",
            )
        found = _identifiers(find_slides(source), source)
        return [Candidate(name, path, names_of(path, source)) for name, path in sorted(found.items())]
    files = {file.below(source.parent): file for file in _slides_of(source)}
    samples = {file.id: file for file in read_samples(sample_sheet)} if sample_sheet else None
    return [
        Candidate(
            slide_id,
            path,
            (files[path].name,),
            files[path],
            None if samples is None else samples.get(files[path].id, SampledFile(files[path].id, files[path].name, ())),
        )
        for slide_id, path in sorted(_identifiers(list(files), source.parent).items())
    ]


def _slides_of(manifest: Path) -> list[GdcFile]:
    """Return the files of a manifest that may be slides."""
    files = read_gdc_manifest(manifest)
    slides = [file for file in files if file.name.lower().endswith(SUFFIXES)]
    if not slides:
        raise InputError(
            "no slides",
            where=str(manifest),
            found=f"{len(files)} files of other kinds" + "".join(f", such as {file.name}" for file in files[:1]),
            expected=f"{' '.join(SUFFIXES)} files",
            todo="choose slide images in the GDC portal (data type `Slide Image`), and download their manifest",
        )
    if len(slides) < len(files):
        say(f"{manifest}: {len(files) - len(slides)} of {len(files)} files are no slides by their names")
    return slides


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


def names_of(slide: Path, folder: Path) -> tuple[str, ...]:
    """Return a slide's name and those of the folders that it lies in, from the inmost, up to but without `folder`."""
    return tuple(reversed(slide.relative_to(folder).parts)) or (folder.name,)


def owner_of(
    names: Sequence[str], patients: Collection[str] = (), pattern: re.Pattern[str] | None = None
) -> str | None:
    """Return the patient of a slide.

    A pattern decides alone.  Without one, a file that is named by a barcode of TCGA is of the barcode's patient, who
    need not be among `patients`.  Any other file is of the patient whose identifier its name, or a folder's, begins
    with.

    Parameters
    ----------
    names : sequence of str
        The name of the slide's file, then those of the folders that it lies in, from the inmost.
    patients : collection of str
        Identifiers; the longest that a name begins with counts, if no letter or digit follows: ``P1`` owns ``P1_a.svs``
        and not ``P10.svs``.
    pattern : pattern, optional
        The first name in which it is found tells the patient: by the pattern's first group, or by the whole match.
    """
    if pattern:
        matches = [match for name in names if (match := pattern.search(name))]
        return matches[0][1 if pattern.groups else 0] if matches else None
    barcode = TCGA_BARCODE.match(names[0])
    if barcode:
        return barcode.group()
    for name in names:
        begun = [p for p in patients if name.startswith(p) and not name[len(p) : len(p) + 1].isalnum()]
        if begun:
            return max(begun, key=len)
    return None


def read_pattern(text: str) -> re.Pattern[str]:
    """Compile the regular expression that finds the patient in a name.

    Raises
    ------
    ConfigError
        It is not one.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(
            "not a regular expression",
            where="--pattern",
            found=f"{text} ({error})",
            expected=r"one in Python's syntax, such as (C3[LN]-\d{5})-\d+",
            todo="correct it; put it in quotes",
        ) from error


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
