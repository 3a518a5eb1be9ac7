"""Manifests, sample sheets and metadata of the Genomic Data Commons (GDC): files to download, and whose they are.

https://docs.gdc.cancer.gov/Data_Transfer_Tool/Users_Guide/Preparing_for_Data_Download_and_Upload/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccl.io.errors import InputError
from ccl.io.files import read_json, read_rows
from ccl.io.sheets import Slide

MANIFEST_COLUMNS = ("id", "filename", "md5", "size")
WHOSE = ("Sample ID", "Case ID")
KIND = ("Sample Type", "Tissue Type", "Tumor Descriptor", "Preservation Method")
SAMPLE_COLUMNS = ("File ID", "File Name", *WHOSE)

BARCODE = re.compile(r"TCGA-\w{2}-\w{4}-\d{2}[A-Z]")
"""A TCGA barcode as far as the vial of the sample; the two digits are the type of the sample, 10 to 19 are normal."""

SAMPLE_LENGTH, CASE_LENGTH = len("TCGA-A1-A0SB-01A"), len("TCGA-A1-A0SB")

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
    """A sample of a file."""

    name: str
    case: str
    kind: str
    """What it is, such as ``Primary Tumor`` or ``Solid Tissue Normal``; empty if only the barcode tells."""
    ffpe: bool = False

    @property
    def normal(self) -> bool:
        """Whether the sample is of normal tissue."""
        barcode = BARCODE.match(self.name)
        return "normal" in self.kind.lower() or (not self.kind and bool(barcode) and self.name[13] == "1")


@dataclass(frozen=True)
class SampledFile:
    """Whose a file is."""

    id: str
    name: str
    samples: tuple[GdcSample, ...]

    @property
    def patient_id(self) -> str | None:
        """The case; None if there are several, or none."""
        cases = {sample.case for sample in self.samples}
        return cases.pop() if len(cases) == 1 else None

    @property
    def normal(self) -> bool:
        """Whether all samples are of normal tissue."""
        return bool(self.samples) and all(sample.normal for sample in self.samples)


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


def read_samples(path: Path) -> list[SampledFile]:
    """Read whose the files of a download are, from its sample sheet or its ``metadata.cart.json``.

    Raises
    ------
    InputError
        A column or an entry is missing, or nothing says which case or what tissue a sample is.
    """
    return _read_metadata(path) if path.suffix == ".json" else _read_sheet(path)


def _read_sheet(path: Path) -> list[SampledFile]:
    """Read a sample sheet; a file of several samples lists them, with commas between."""
    header, lines = read_rows(path, required=SAMPLE_COLUMNS)
    files = []
    for line in lines:
        row = line.named(header)
        cells = [[text.strip() for text in row.get(column, "").split(",")] for column in (*WHOSE, *KIND)]
        names = cells[0]
        samples = [_sample(*(cell[at] if at < len(cell) else cell[-1] for cell in cells)) for at in range(len(names))]
        named = tuple(sample for sample in samples if sample.case)
        files.append(SampledFile(row.get("File ID", ""), row.get("File Name", ""), named))
    return files


def _sample(name: str, case: str, kind: str, tissue: str, descriptor: str, preservation: str) -> GdcSample:
    """Return a sample; sheets since 2024 have the tissue and a descriptor in the place of its type."""
    return GdcSample(name, case, kind or ("Normal" if tissue == "Normal" else descriptor), preservation == "FFPE")


def _read_metadata(path: Path) -> list[SampledFile]:
    """Read the metadata of a cart: a list of files with their ``associated_entities``, and perhaps their ``cases``."""
    content = read_json(path, todo="download it again from the portal (Cart, Metadata)")
    try:
        return [SampledFile(str(file["file_id"]), str(file["file_name"]), _entities(file)) for file in content]
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(
            "not the metadata of a GDC cart",
            where=str(path),
            found=f"{type(error).__name__}: {error}",
            expected="a list of files, each with file_id, file_name and associated_entities",
            todo="download it again from the portal (Cart, Metadata), or use the sample sheet",
        ) from error
    except ValueError as error:
        raise InputError(
            "the metadata do not say whose a file is",
            where=str(path),
            found=str(error),
            expected="TCGA barcodes, or `cases` with their samples",
            todo="download the sample sheet from the portal (Cart, Sample Sheet), and take the metadata away",
        ) from None


def _entities(file: Mapping[str, Any]) -> tuple[GdcSample, ...]:
    """Return the samples of a file of the metadata.

    The portal names aliquots and slides in ``associated_entities``, but cases only by an internal id; the API can add
    ``cases``.  A TCGA barcode tells both.

    Raises
    ------
    ValueError
        Neither tells.
    """
    if any("samples" in case for case in file.get("cases", ())):
        return tuple(
            _sample(
                str(sample["submitter_id"]),
                str(case["submitter_id"]),
                kind=sample.get("sample_type") or "",
                tissue=sample.get("tissue_type") or "",
                descriptor=sample.get("tumor_descriptor") or "",
                preservation=sample.get("preservation_method") or "",
            )
            for case in file["cases"]
            for sample in case["samples"]
        )
    names = [str(entity["entity_submitter_id"]) for entity in file["associated_entities"]]
    strange = [name for name in names if not BARCODE.match(name)]
    if strange or not names:
        raise ValueError(f"file {file['file_name']}: {strange[0] if strange else 'no associated entity'}")
    return tuple(GdcSample(name[:SAMPLE_LENGTH], name[:CASE_LENGTH], "") for name in names)


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
