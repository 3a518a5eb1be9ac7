"""A download from the GDC data portal: one file for each sample, the sample sheet or metadata, and the clinical table.

GDC's documentation describes the files ("Bioinformatics Pipeline: mRNA Analysis", "Copy Number Variation Analysis",
"GDC MAF Format").
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ccl.config.cohort_sections import KINDS, MutationSource, Source
from ccl.io.errors import InputError
from ccl.io.files import existing
from ccl.io.gdc import GdcSample, read_samples
from ccl.source.account import Account
from ccl.source.download import Download, check_kinds
from ccl.source.matrix import Matrix, read_columns
from ccl.source.mutations import read_mutations
from ccl.source.samples import Sample, of_barcode, type_of
from ccl.source.study import DAYS_PER_MONTH, Outcome, Study, event_of, merged, number_of
from ccl.source.text import Header, read_header, read_records

ENDINGS = {
    "rna": r"\.augmented_star_gene_counts\.tsv",
    "cnv": r"\.gene_level_copy_number(\.v\d+)?\.tsv",
    "snv": r"\.maf(\.gz)?",
}
"""Endings of the names of files of each kind."""

SHEETS = (("gdc_sample_sheet", ".tsv"), ("metadata.cart", ".json"))
"""Start and end of the names of files that join files to cases; the second is read if there is no first."""

VALUE = {"rna": "tpm_unstranded", "cnv": "copy_number"}
"""The column that is read by default."""

CASE = ("case_submitter_id", "cases.submitter_id")


def find(folder: Path, source: Source) -> Download:
    """Return the files of a download, by the sample sheet or the metadata of the cart.

    Raises
    ------
    InputError
        There is no clinical table; there is neither sheet nor metadata, and files do not name their cases; it names
        files that are not there; or a kind of omics that the config names is missing.
    """
    names = {path.name: path for path in sorted(existing(folder).rglob("*")) if path.is_file()}
    clinical = [path for name, path in names.items() if name == "clinical.tsv"]
    if not clinical:
        raise InputError(
            "no clinical table",
            where=str(folder),
            found=", ".join(list(names)[:4]) or "no files",
            expected="clinical.tsv",
            todo="unpack the archive clinical.cart.*.tar.gz of the portal (Cart, Clinical, TSV) into the folder",
        )
    sheets = [
        path for start, end in SHEETS for name, path in names.items() if name.startswith(start) and name.endswith(end)
    ]
    sheets = [path for path in sheets if path.suffix == sheets[0].suffix]
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    if sheets:
        for name in _samples(sheets):
            if kind := _kind_of(name):
                found[kind].append(_downloaded(names, name, sheets[0]))
    else:
        for name, path in names.items():
            if kind := _kind_of(name):
                found[kind].append(path)
        _check_named(found, folder)
    kinds = check_kinds((kind for kind in KINDS if found[kind]), source.named, folder)
    uses = {kind: tuple(dict.fromkeys(found[kind])) for kind in kinds}
    return Download(
        "gdc", folder, {**uses, "clinical": tuple(clinical), **({"sheet": tuple(sheets)} if sheets else {})}
    )


def _kind_of(name: str) -> str | None:
    return next((kind for kind, ending in ENDINGS.items() if re.search(f"{ending}$", name)), None)


def _downloaded(names: Mapping[str, Path], name: str, sheet: Path) -> Path:
    if name in names:
        return names[name]
    raise InputError(
        f"{sheet.name} names a file that is not there",
        where=str(sheet),
        found=name,
        expected=f"the file in a folder below {sheet.parent}",
        todo="finish the download with gdc-client and the manifest, or take the file out of the list",
    )


def _check_named(found: Mapping[str, Sequence[Path]], folder: Path) -> None:
    """Raise InputError without a sample sheet, unless all files are MAF files, which hold the barcodes."""
    nameless = [path for kind in ("rna", "cnv") for path in found[kind]]
    if nameless:
        raise InputError(
            "nothing says which case a file belongs to",
            where=str(folder),
            found=f"{nameless[0].name}, and neither gdc_sample_sheet*.tsv nor metadata.cart*.json",
            expected="one of them; the manifest has neither cases nor samples",
            todo="download it from the portal (Cart, Sample Sheet, or Metadata) into the folder",
        )


def _samples(sheets: Sequence[Path]) -> dict[str, Sample]:
    """Return the sample of each file by its name; of a file of a tumour and a normal sample, the tumour."""
    found = {}
    for file in (file for sheet in sheets for file in read_samples(sheet)):
        if every := [_sample(own) for own in file.samples]:
            found[file.name] = min(every, key=lambda sample: sample.type == "normal")
    return found


def _sample(own: GdcSample) -> Sample:
    barcode = of_barcode(own.name)
    return Sample(own.name, own.case, barcode.type if barcode else type_of(own.kind), own.ffpe)


def read_study(download: Download, source: Source, account: Account) -> Study:
    """Read a download.

    Raises
    ------
    InputError
        A file cannot be read, or a value is impossible; with the file, line and column.
    """
    of_name = _samples(download.uses.get("sheet", ()))
    samples = {sample.name: sample for sample in of_name.values()}
    of_file = {name: sample.name for name, sample in of_name.items()}
    patients, outcomes = _read_clinical(download.uses["clinical"], account)
    omics = {}
    for kind in download.kinds:
        if kind == "snv":
            omics[kind] = _mutations(download.uses[kind], of_file, source, account)
        else:
            column = source.table(kind) or VALUE[kind]
            omics[kind] = _stacked(kind, download.uses[kind], of_file, column, account)
    return Study(patients, outcomes, samples, omics)


def _stacked(kind: str, paths: Sequence[Path], of_file: Mapping[str, str], column: str, account: Account) -> Matrix:
    """Read one file for each sample as one matrix; the files must have the same genes in the same order."""
    files: dict[str, Path] = {}
    further = []
    for path in sorted(paths, key=lambda path: path.name):
        if files.setdefault(of_file[path.name], path) != path:
            further.append(path.name)
    account.drop(kind, "further files of a sample", further)
    first, *_ = files.values()
    header = read_header(first)
    ids, names = _genes(header)
    rows = np.array([at for at, id_ in enumerate(ids) if id_.startswith("ENSG") and not id_.endswith("_PAR_Y")])
    account.drop(kind, "copies of genes on chromosome Y (_PAR_Y)", [id_ for id_ in ids if id_.endswith("_PAR_Y")])
    account.tell(kind, column=column, files=len(files), **_gene_model(header))
    values = np.empty((len(rows), len(files)), dtype=np.float32)
    for place, path in enumerate(files.values()):
        found = read_columns(read_header(path), ("gene_id", column), numbers=(column,))
        here = found["gene_id"].texts
        if here != ids:
            raise InputError(
                "the files of the download have different genes",
                where=f"{path} and {first}",
                found=f"{len(here)} and {len(ids)} rows",
                expected="the same genes in the same order",
                todo="download all files from one data release",
            )
        values[:, place] = found[column][rows]
    return Matrix(tuple(names[row] for row in rows), tuple(files), values, str(first.parent.parent))


def _genes(header: Header) -> tuple[tuple[str, ...], list[str]]:
    """Return the ids and the names of the genes of a file."""
    found = read_columns(header, ("gene_id", "gene_name"))
    names = [*found["gene_name"].texts, ""]
    return found["gene_id"].texts, [names[code] for code in found["gene_name"].codes]


def _gene_model(header: Header) -> dict[str, str]:
    """Return the annotation that a STAR file states, such as GENCODE v36."""
    texts = [text.partition(":")[2].strip() for text in header.comments if text.startswith("# gene-model")]
    return {"gene_model": texts[0]} if texts else {}


def _mutations(paths: Sequence[Path], of_file: Mapping[str, str], source: Source, account: Account) -> Matrix:
    silent = (source.snv or MutationSource()).silent
    profiled = [of_file[path.name] for path in paths if path.name in of_file]

    def named(path: Path, name: str) -> str:
        return of_file.get(path.name, name[:16])

    return read_mutations(paths, profiled=profiled, silent=silent, account=account, named=named)


def _read_clinical(
    paths: Sequence[Path], account: Account
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, Outcome]]]:
    """Read the clinical table: rows for each diagnosis and treatment of a case."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    where: dict[str, str] = {}
    for path in paths:
        header, records = read_records(path)
        case, short = header.column(*CASE), _short_names(header)
        for row in records:
            if patient := row.get(case):
                rows[patient].append({short[name]: value for name, value in row.items() if name != case})
                where[patient] = f"{path}, case {patient}"
    patients, differing, overall = {}, [], {}
    for patient, own in rows.items():
        own.sort(key=lambda row: row.get("diagnosis_is_primary_disease") != "true")
        patients[patient], columns = merged(own)
        differing += [patient] if columns else []
        if outcome := _overall(own, where[patient]):
            overall[patient] = outcome
    account.drop("clinical", "cases with rows that differ; the first value of each column counts", differing)
    return patients, {"OS": overall} if overall else {}


def _short_names(header: Header) -> dict[str, str]:
    """Return the columns without the names of GDC's entities (``demographic.gender``) where they stay distinct."""
    last = [name.rpartition(".")[2] for name in header.names]
    return {name: short if last.count(short) == 1 else name for name, short in zip(header.names, last, strict=True)}


def _overall(rows: Sequence[Mapping[str, str]], where: str) -> Outcome | None:
    """Return the overall survival of a case: death, or the last follow-up; None if it is not known."""
    status = next((row["vital_status"] for row in rows if "vital_status" in row), "")
    if status.lower() not in ("dead", "alive"):
        return None
    dead = event_of(status, where=f"{where}, column vital_status")
    column = "days_to_death" if dead else "days_to_last_follow_up"
    days = [number_of(row[column], where=f"{where}, column {column}") for row in rows if column in row]
    return Outcome(dead, max(days) / DAYS_PER_MONTH) if days else None
