"""`ccl slides`: the slide sheet of a cohort, from a folder of slides or a GDC manifest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ccl.cohort.choose import (
    DOUBLES,
    FROZEN,
    NORMAL,
    STRANGERS,
    UNSCALED,
    UNUSABLE,
    Chosen,
    LeftOut,
    choose_slides,
    is_frozen,
    patient_of,
    shortened,
)
from ccl.cohort.find import Candidate, find_candidates, read_pattern
from ccl.cohort.guess import guess_patient_column, identifying
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import read_table, write_table
from ccl.io.sheets import SLIDE_COLUMNS, Frozen, Slide


@dataclass
class Findings:
    """What is told of files that were written."""

    written: tuple[Path, ...]
    guessed: list[str] = field(default_factory=list)
    """What was found or guessed."""
    todo: list[str] = field(default_factory=list)
    """What could not be found, and what to do about it."""

    def __str__(self) -> str:
        """Return all of it, a line each."""
        lines = [f"wrote {path}" for path in self.written]
        for head, findings in (
            ("Found or guessed; correct it where it is wrong:", self.guessed),
            ("To do:", self.todo),
        ):
            lines += [head, *(f"  - {finding}" for finding in findings)] if findings else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Source:
    """Where slides are listed, and how their patients are found."""

    path: Path
    """A folder of slides, or a GDC manifest."""
    sample_sheet: Path | None = None
    """GDC's sample sheet of the manifest's files, which names their patients."""
    pattern: str | None = None
    """Regular expression that finds the patient in the name of a slide or of its folders."""
    frozen: Frozen | None = None
    """What happens to frozen sections."""

    def __post_init__(self) -> None:
        """Refuse two sources of a patient's name."""
        if self.pattern and self.sample_sheet:
            raise ConfigError(
                "two ways to find the patient of a slide",
                where="--pattern and --sample-sheet",
                expected="one of them",
                todo="leave one out",
            )

    @property
    def matcher(self) -> re.Pattern[str] | None:
        """The compiled pattern."""
        return read_pattern(self.pattern) if self.pattern else None

    def candidates(self) -> list[Candidate]:
        """Return the slides that are listed."""
        return find_candidates(self.path, self.sample_sheet)

    def choose(self, candidates: Sequence[Candidate], patients: Collection[str] | None) -> Chosen:
        """Choose the slides of the sheet; see :func:`~ccl.cohort.choose.choose_slides`."""
        return choose_slides(candidates, self.path, patients=patients, pattern=self.matcher, frozen=self.frozen)


def make_sheet(out: Path, source: Source, patients: Path | None = None) -> Findings:
    """Write the slide sheet of a cohort to `out`, and beside it the table of slides that were left out.

    Parameters
    ----------
    out : Path
        The sheet, ``.csv`` or ``.tsv``.
    source : Source
        Folder or manifest, and how patients are found.
    patients : Path, optional
        Table with a row per patient or slide; slides of other patients are left out.

    Raises
    ------
    ConfigError
        `out` exists, is no table, or a choice is missing (:func:`~ccl.cohort.choose.choose_slides`).
    InputError
        A file cannot be read, there is no slide of a patient, or two patients have the same slide.
    """
    if out.suffix not in (".csv", ".tsv"):
        raise ConfigError(
            "not the name of a slide sheet", where="--out", found=out.name, expected="a name that ends in .csv or .tsv"
        )
    refuse_existing(out, left_out_of(out))
    findings = Findings((out, left_out_of(out)))
    candidates, names = source.candidates(), None
    if patients:
        table, column = read_owners(patients, candidates, source)
        findings.guessed.append(f"patients: column `{column}` of {patients.name}")
        names = set(table[column].dropna())
    chosen = source.choose(candidates, names)
    describe(chosen, source, names, findings)
    write_sheet(out, chosen)
    return findings


def left_out_of(sheet: Path) -> Path:
    """Return the table of the slides that are not in a sheet."""
    return sheet.with_name(f"{sheet.stem}.left_out.csv")


def refuse_existing(*paths: Path) -> None:
    """Raise ConfigError for files that exist."""
    for path in paths:
        if path.exists():
            raise ConfigError(
                "the file exists already, and nothing is overwritten",
                where=str(path),
                todo="choose another name with --out, or move the file away",
            )


def write_sheet(path: Path, chosen: Chosen) -> None:
    """Write the sheet and the table of slides that were left out."""
    write_table(left_out_of(path), pd.DataFrame(chosen.left_out, columns=list(LeftOut._fields)))
    write_table(path, pd.DataFrame([vars(row) for row in chosen.slides])[list(SLIDE_COLUMNS[:4])])


def read_owners(path: Path, candidates: Sequence[Candidate], source: Source) -> tuple[pd.DataFrame, str]:
    """Read the table of patients, and find the column that names them.

    Raises
    ------
    InputError
        No column names a slide's patient.
    """
    table = read_table(path, text=tuple(identifying(read_table(path))))
    certain = bool(source.pattern or source.sample_sheet)
    owners = [patient_of(candidate, (), source.matcher) if certain else None for candidate in candidates]
    names = [(owner,) if owner else each.names for owner, each in zip(owners, candidates, strict=True)]
    column = guess_patient_column(table, names)
    if column is None:
        values = {name: table[name].dropna().astype(str).head(3) for name in identifying(table)[:8]}
        columns = ", ".join(f"`{name}` ({', '.join(cells)}, ...)" for name, cells in values.items())
        raise InputError(
            "no slide belongs to a patient of the table",
            where=f"{source.path} and {path}",
            found=f"{len(candidates)} slides, such as {', '.join(each[0] for each in names[:3])}; a table of {columns}",
            expected="slides whose names, or those of their folders, begin with the identifier of a patient",
            todo="name a regular expression that finds the patient (--pattern), rename the slides, or write the sheet"
            " of slides yourself (config/README.md)",
        )
    return table, column


def describe(chosen: Chosen, source: Source, patients: set[str] | None, findings: Findings) -> None:
    """Note how the slides' patients were found, what each rule left out, and what is still to be done."""
    slides = chosen.slides
    owners = Counter(slide.patient_id for slide in slides)
    example = f"{slides[0].path.name} is of {slides[0].patient_id}, for example"
    findings.guessed.append(f"the patient of each slide: {_ways(slides, source)}; {example}")
    without = f"; {len(patients - set(owners))} patients of the table have no slide" if patients is not None else ""
    findings.guessed.append(f"{len(slides)} slides of {len(owners)} patients{without}")
    several = [patient for patient, count in owners.items() if count > 1]
    if several:
        findings.guessed.append(f"patients with several slides, all kept ({len(several)}): {shortened(several)}")
    folders = [slide.path.name for slide in slides if slide.path.is_dir()]
    if folders:
        findings.guessed.append(f"folders of DICOM files, each taken for one slide: {', '.join(folders)}")
    findings.guessed += chosen.said(DOUBLES)
    findings.guessed += [f"{count} (listed in {findings.written[-1].name})" for count in chosen.counted(NORMAL, FROZEN)]
    findings.guessed += _kinds(slides, chosen)
    if chosen.absent:
        size = sum(each.file.size for each in chosen.absent if each.file) / 1e9
        findings.guessed.append(
            f"{len(chosen.absent)} of the slides ({size:.1f} GB) are not in {source.path.absolute().parent} yet:"
            " `download` in the config fetches them at the start of a run"
        )
    findings.todo += chosen.said(STRANGERS, UNUSABLE, UNSCALED)


def _ways(slides: Sequence[Slide], source: Source) -> str:
    """Say how the patients of the slides were found."""
    if source.sample_sheet:
        return f"the cases of {source.sample_sheet.name}"
    if source.pattern:
        return f"the pattern {source.pattern}"
    barcodes = sum(
        slide.path.name.startswith(slide.patient_id) and slide.patient_id.startswith("TCGA-") for slide in slides
    )
    ways = {
        "the barcode of TCGA in its name": barcodes,
        "the identifier that its name, or its folder's, begins with": len(slides) - barcodes,
    }
    return " and ".join(f"{count} by {way}" for way, count in ways.items() if count)


def _kinds(slides: Sequence[Slide], chosen: Chosen) -> list[str]:
    """Say which patients are represented by frozen sections, and who is lost with them."""
    kept = sorted({slide.patient_id for slide in slides if is_frozen(slide)})
    owners = {slide.patient_id for slide in slides}
    lost = sorted({row.patient_id for row in chosen.left_out if row.rule == FROZEN and row.patient_id} - owners)
    return [
        f"{what} ({len(patients)}): {shortened(patients)}"
        for what, patients in (
            ("patients with frozen sections", kept),
            ("patients without a diagnostic slide, left out", lost),
        )
        if patients
    ]
