"""Manifests and sample sheets of the Genomic Data Commons (GDC), which list files to download and whose they are.

https://docs.gdc.cancer.gov/Data_Transfer_Tool/Users_Guide/Preparing_for_Data_Download_and_Upload/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccl.io.errors import InputError
from ccl.io.files import read_rows
from ccl.io.sheets import Slide

MANIFEST_COLUMNS = ("id", "filename", "md5", "size")
SAMPLE_COLUMNS = ("File ID", "Case ID")

VALID = {
    "id": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"), "letters, digits and dashes"),
    "filename": (re.compile(r"[^./\\\x00][^/\\\x00]*"), "the name of a file, without a folder"),
    "md5": (re.compile(r"[0-9a-fA-F]{32}"), "32 hexadecimal digits"),
    "size": (re.compile(r"[0-9]+"), "a number of bytes"),
}
"""The form of each column of a manifest.  ``id`` and ``filename`` become a path, so neither may leave its folder."""


@dataclass(frozen=True)
class GdcFile:
    """A file of a manifest."""

    id: str
    name: str
    md5: str
    """In small letters."""
    size: int
    """Number of bytes."""

    def below(self, folder: Path) -> Path:
        """Return where GDC's transfer tool puts the file: in a folder named by its id."""
        return folder / self.id / self.name


@dataclass(frozen=True)
class GdcSample:
    """Whose a file is, in a sample sheet."""

    patient_id: str | None
    """The case; None if the sheet does not have the file, or names several cases."""
    normal: bool = False
    """Whether all of its samples are of normal tissue."""


def read_gdc_manifest(path: Path) -> list[GdcFile]:
    """Read a manifest.

    Raises
    ------
    InputError
        A column is missing, a value does not have its form (with the line), or a file is listed twice.
    """
    header, lines = read_rows(path, required=MANIFEST_COLUMNS)
    files: dict[str, GdcFile] = {}
    for line in lines:
        row = line.named(header)
        for column, (form, expected) in VALID.items():
            if not form.fullmatch(row.get(column, "")):
                raise InputError(
                    "not a line of a GDC manifest",
                    where=f"{path}, line {line.number}, column {column}",
                    found=row.get(column, "nothing"),
                    expected=expected,
                    todo="download the manifest again from the GDC portal",
                )
        file = GdcFile(row["id"], row["filename"], row["md5"].lower(), int(row["size"]))
        if file.id in files:
            raise InputError(
                "a file is listed twice",
                where=f"{path}, line {line.number}",
                found=file.id,
                expected="each id once",
                todo="remove the line",
            )
        files[file.id] = file
    return list(files.values())


def read_sample_sheet(path: Path) -> dict[str, GdcSample]:
    """Read the sample sheet of a GDC download: by the id of a file, its case and kind of tissue.

    A file of several samples lists them, with commas between.

    Raises
    ------
    InputError
        A column is missing.
    """
    header, lines = read_rows(path, required=SAMPLE_COLUMNS)
    rows = [line.named(header) for line in lines]
    return {row["File ID"]: _sample(row) for row in rows if "File ID" in row}


def _sample(row: Mapping[str, str]) -> GdcSample:
    cases = set(_listed(row.get("Case ID", "")))
    kinds = _listed(row.get("Sample Type") or row.get("Tissue Type", ""))
    return GdcSample(
        cases.pop() if len(cases) == 1 else None, bool(kinds) and all("normal" in k.lower() for k in kinds)
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def files_of_slides(slides: Sequence[Slide], manifest: Path, *, sheet: Path) -> dict[str, GdcFile]:
    """Return the file of each slide of a sheet that a manifest lists, by slide.

    A slide's path ends in ``{id}/{filename}``, as :meth:`GdcFile.below` and GDC's transfer tool write it.

    Raises
    ------
    InputError
        The manifest cannot be read, or lists no slide of the sheet.
    """
    places = {file.below(Path()).parts: file for file in read_gdc_manifest(manifest)}
    found = {slide.slide_id: places[slide.path.parts[-2:]] for slide in slides if slide.path.parts[-2:] in places}
    if slides and not found:
        raise InputError(
            "the manifest lists no slide of the sheet",
            where=f"{manifest} and {sheet}",
            found=f"files {', '.join('/'.join(parts) for parts in list(places)[:3]) or 'none'}; "
            f"slides {', '.join(str(slide.path) for slide in slides[:3])}",
            expected="paths in the sheet that end in the id and the filename of the manifest",
            todo="make the sheet from the manifest with `ccl slides`",
        )
    return found
