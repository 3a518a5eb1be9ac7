"""Files of a UCSC Xena hub: matrices of genes by samples, lists of mutations, phenotypes and survival."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from ccl.config.cohort_sections import KINDS, MutationSource, Source
from ccl.io.errors import InputError
from ccl.io.files import existing
from ccl.source.account import Account
from ccl.source.download import Download, check_kinds, named_choice, only_one
from ccl.source.matrix import Matrix, read_matrix
from ccl.source.mutations import Layout, read_mutations
from ccl.source.samples import Sample, find_sample, of_barcode, type_of
from ccl.source.study import DAYS_PER_MONTH, ENDPOINTS, Outcome, Study, event_of, number_of
from ccl.source.text import read_header, read_records

KNOWN = {
    "rna": (
        "HiSeqV2*",
        "*geneExp.xena*",
        "*.star_tpm.tsv*",
        "*.star_fpkm.tsv*",
        "*.htseq_fpkm.tsv*",
        "*RSEM_gene_tpm*",
    ),
    "cnv": ("*all_thresholded.by_genes*", "*.gene-level_absolute.tsv*", "*.gistic.tsv*"),
    "snv": ("*mc3*", "*.somaticmutation_wxs.tsv*", "*.mutect2_snv.tsv*"),
    "clinical": ("*clinicalMatrix*", "*phenotype*", "*.clinical.tsv*"),
    "survival": ("*[Ss]urvival*",),
}
"""Names of files of the hubs, by their use."""

SAMPLE = ("sample", "sampleID", "Sample_ID", "submitter_id.samples", "samples", "#sample")
PATIENT = ("_PATIENT", "_patient", "bcr_patient_barcode", "submitter_id", "xena_patient")
LIST = Layout(("gene", "Gene", "Hugo_Symbol"), SAMPLE, ("effect", "Effect", "Variant_Classification"), "")
TYPE = ("sample_type", "sample_type.samples", "_sample_type")


def find(folder: Path, source: Source) -> Download:
    """Return the files of a hub, by the names that the config gives or by the names that the hubs use.

    Raises
    ------
    InputError
        There is no file of survival, or a file or kind that the config names is missing.
    ConfigError
        Several files have the names of one use, and the config names none of them.
    """
    names = {path.name: path for path in sorted(existing(folder).iterdir()) if path.is_file()}
    wanted = {kind: source.table(kind) for kind in KINDS} | {"clinical": source.clinical, "survival": source.survival}
    found = {
        use: {name: path for name, path in names.items() if any(fnmatch(name, pattern) for pattern in patterns)}
        for use, patterns in KNOWN.items()
    }
    found = {use: files for use, files in found.items() if files or wanted[use]}
    if "survival" not in found:
        raise InputError(
            "no file of survival",
            where=str(folder),
            found=", ".join(list(names)[:4]) or "no files",
            expected="a file named like survival_BRCA_survival.txt",
            todo="download it from the hub, or name the file as `from: survival`",
        )
    kinds = check_kinds((kind for kind in KINDS if kind in found), source.named, folder)
    uses = {}
    for use in (*kinds, *(use for use in ("clinical", "survival") if use in found)):
        key = f"{use}: table" if use in KINDS else use
        name = wanted[use] or only_one(found[use], what=use, where=folder, key=key)
        uses[use] = (names[named_choice(names, name, where=folder, key=key)],)
    return Download("xena", folder, uses)


def read_study(download: Download, source: Source, account: Account) -> Study:
    """Read the files of a hub.

    A table of survival may be of many cohorts, so that only its patients in another table count, if there is one.

    Raises
    ------
    InputError
        A file cannot be read, or a value is impossible; with the file, line and column.
    """
    outcomes, in_survival = _read_survival(download.uses["survival"][0], account)
    samples = _read_phenotypes(download)
    omics = {kind: _READ[kind](download.uses[kind][0], source, account) for kind in download.kinds}
    measured = (find_sample(name, samples) for matrix in omics.values() for name in matrix.samples)
    elsewhere = {sample.patient for sample in (*samples.values(), *measured) if sample}
    account.drop("survival", "patients in no other table", [p for p in in_survival if elsewhere and p not in elsewhere])
    return Study({patient: {} for patient in elsewhere or in_survival}, outcomes, samples, omics)


def _patient_of(row: Mapping[str, str], sample: str) -> str:
    """Return the patient of a row: as a column says, else by the barcode, else the sample itself."""
    stated = next((row[name] for name in PATIENT if name in row), None)
    barcode = of_barcode(sample)
    return stated or (barcode.patient if barcode else sample)


def _read_survival(path: Path, account: Account) -> tuple[dict[str, dict[str, Outcome]], list[str]]:
    """Read survival: a row for each sample, times in days, 1 = event."""
    header, rows = read_records(path, comment="")
    column = header.column(*SAMPLE, "")
    present = [name for name in ENDPOINTS if name in header.names and f"{name}.time" in header.names]
    if not present:
        raise InputError(
            "the file of survival has no endpoint",
            where=header.where,
            found=", ".join(header.names[:6]),
            expected="OS and OS.time, or another of DSS, PFI and DFI",
            todo="name another file as `from: survival`",
        )
    found: dict[str, dict[str, Outcome]] = {name: {} for name in present}
    seen: dict[str, None] = {}
    differing: dict[str, None] = {}
    for row in rows:
        sample = row.get(column, "")
        patient = _patient_of(row, sample)
        if not patient:
            continue
        seen[patient] = None
        for name in present:
            if name in row and f"{name}.time" in row:
                where = f"{path}, sample {sample}, column {name}"
                days = number_of(row[f"{name}.time"], where=f"{where}.time")
                outcome = Outcome(event_of(row[name], where=where), days / DAYS_PER_MONTH)
                if found[name].setdefault(patient, outcome) != outcome:
                    differing[patient] = None
    account.drop("survival", "patients with rows that differ; the first counts", differing)
    return found, list(seen)


def _read_phenotypes(download: Download) -> dict[str, Sample]:
    found: dict[str, Sample] = {}
    for path in download.uses.get("clinical", ()):
        header, rows = read_records(path, comment="")
        column = header.column(*SAMPLE)
        for row in rows:
            if name := row.pop(column, ""):
                stated = type_of(next((row[key] for key in TYPE if key in row), ""))
                barcode = of_barcode(name)
                kind = barcode.type if barcode else stated
                ffpe = row.get("is_ffpe", row.get("is_ffpe.samples", "")).lower() in ("yes", "true")
                found[name] = Sample(name, _patient_of(row, name), kind, ffpe, row)
    return found


def _rna(path: Path, source: Source, account: Account) -> Matrix:
    return read_matrix(path, genes=(), comment="")


def _snv(path: Path, source: Source, account: Account) -> Matrix:
    header = read_header(path, comment="")
    if not set(LIST.gene) & set(header.names[1:]):
        return read_matrix(path, genes=(), comment="")
    account.warn(
        f"{path}: a list of mutations does not say who was sequenced; samples without any mutation count as not"
        " sequenced. The hub's gene-level table of mutations (0 and 1) says it."
    )
    silent = (source.snv or MutationSource()).silent
    return read_mutations([path], profiled=(), silent=silent, account=account, layout=LIST)


_READ = {"rna": _rna, "cnv": _rna, "snv": _snv}
