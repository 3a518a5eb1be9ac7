"""A cBioPortal study folder, by the description of its file formats (docs.cbioportal.org, "File Formats")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccl.config.cohort_sections import MutationSource, Source
from ccl.io.errors import InputError
from ccl.io.files import existing
from ccl.source.account import Account
from ccl.source.download import Download, check_kinds, named_choice, only_one
from ccl.source.matrix import Matrix, read_columns, read_matrix
from ccl.source.mutations import read_mutations
from ccl.source.panels import find_panels, only_profiled, panels_of
from ccl.source.samples import Sample, find_sample, is_ffpe, of_barcode, type_of
from ccl.source.study import Outcome, Study, event_of, merged, number_of
from ccl.source.text import read_header, read_keys, read_records

KIND_OF = {
    ("MRNA_EXPRESSION", "CONTINUOUS"): "rna",
    ("COPY_NUMBER_ALTERATION", "DISCRETE"): "cnv",
    ("COPY_NUMBER_ALTERATION", "DISCRETE_LONG"): "cnv",
    ("MUTATION_EXTENDED", "MAF"): "snv",
}
"""``genetic_alteration_type`` and ``datatype`` of the tables that are read.

A table of z-scores is not among them: its means are those of all samples, test patients included.
"""

PROFILED = ("cnv", "snv")
"""Kinds that a gene panel measures in a part of the genes."""

NOT_SAMPLES = ("Hugo_Symbol", "Entrez_Gene_Id", "Cytoband")

STATUS = {"OS": ("OS",), "DSS": ("DSS",), "PFI": ("PFI", "PFS"), "DFI": ("DFI", "DFS")}
"""Names of each endpoint in columns such as ``PFS_STATUS``; the TCGA pan-cancer studies name PFI as PFS, DFI as DFS."""


@dataclass(frozen=True)
class _Meta:
    path: Path
    keys: Mapping[str, str]

    @property
    def kind(self) -> str | None:
        return KIND_OF.get((self.keys.get("genetic_alteration_type", ""), self.keys.get("datatype", "")))

    @property
    def clinical(self) -> str | None:
        """``patients`` or ``samples`` for a clinical file."""
        if self.keys.get("genetic_alteration_type") != "CLINICAL":
            return None
        return {"PATIENT_ATTRIBUTES": "patients", "SAMPLE_ATTRIBUTES": "samples"}.get(self.keys.get("datatype", ""))

    @property
    def data(self) -> Path:
        """The file that the meta file describes."""
        name = self.keys.get("data_filename")
        path = self.path.parent / name if name else self.path
        if not name or not path.exists():
            raise InputError(
                "a meta file names no file that is there",
                where=f"{self.path}, data_filename",
                found=name or "no data_filename",
                expected=f"a file in {self.path.parent}",
                todo="download the study again; large files of the datahub are kept in Git LFS",
            )
        return path


def find(folder: Path, source: Source) -> Download:
    """Return the files of a study, by its meta files.

    Raises
    ------
    InputError
        The folder has no meta files or no clinical file of samples, a meta file names a file that is not there, or a
        kind of omics that the config names is missing.
    ConfigError
        There are several tables of a kind, and the config names none of them, or one that is not there.
    """
    metas = [_Meta(path, read_keys(path)) for path in sorted(existing(folder).glob("meta_*.txt"))]
    uses = {use: tuple(meta.data for meta in metas if meta.clinical == use) for use in ("patients", "samples")}
    if not uses["samples"]:
        raise InputError(
            "not a cBioPortal study",
            where=str(folder),
            found=f"{len(metas)} files meta_*.txt, none of them of SAMPLE_ATTRIBUTES",
            expected="meta_clinical_sample.txt, and other files meta_*.txt",
            todo="name the folder of the study itself, unpacked",
        )
    tables: dict[str, dict[str, _Meta]] = defaultdict(dict)
    for meta in metas:
        if meta.kind:
            tables[meta.kind][meta.keys.get("stable_id", meta.path.stem)] = meta
    for kind in check_kinds(tables, source.named, folder):
        name = source.table(kind)
        if name is None:
            name = only_one(tables[kind], what=kind, where=folder, key=f"{kind}: table")
        uses[kind] = (tables[kind][named_choice(tables[kind], name, where=folder, key=f"{kind}: table")].data,)
        uses[f"{kind} panels"] = _panel_files(folder, metas) if kind in PROFILED else ()
        uses[f"{kind} samples"] = _case_lists(folder, {"cnv": ("_cna",), "snv": ("_sequenced",)}.get(kind, ()))
    uses["meta"] = tuple(meta.path for meta in metas if meta.kind or meta.clinical)
    return Download("cbioportal", folder, {use: paths for use, paths in uses.items() if paths})


def _panel_files(folder: Path, metas: Sequence[_Meta]) -> tuple[Path, ...]:
    """Return the file that says which panel each sample was sequenced with, and those of the panels; maybe none."""
    kind = "GENE_PANEL_MATRIX"
    matrices = [meta.data for meta in metas if meta.keys.get("genetic_alteration_type") == kind]
    return (matrices[0], *find_panels(folder)) if matrices else ()


def _case_lists(folder: Path, endings: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the lists of samples whose ``stable_id`` has one of some endings."""
    paths = sorted((folder / "case_lists").glob("*.txt"))
    return tuple(path for path in paths if endings and read_keys(path).get("stable_id", "").endswith(endings))


def read_study(download: Download, source: Source, account: Account) -> Study:
    """Read a study.

    Raises
    ------
    InputError
        A file cannot be read, or a value is impossible; with the file, line and column.
    """
    samples = _read_samples(download)
    patients = _read_patients(download, account)
    outcomes = _outcomes(download, patients)
    for sample in samples.values():
        patients.setdefault(sample.patient, {})
    omics = {kind: _READ[kind](download, source, samples, account) for kind in download.kinds}
    for kind in omics:
        if panel_of := _panels(download, kind):
            omics[kind] = only_profiled(kind, omics[kind], panel_of, download.uses[f"{kind} panels"][1:], account)
    return Study(patients, outcomes, samples, omics)


def _read_patients(download: Download, account: Account) -> dict[str, dict[str, str]]:
    rows: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for path in download.uses.get("patients", ()):
        for row in read_records(path, required=("PATIENT_ID",))[1]:
            if patient := row.pop("PATIENT_ID", ""):
                rows[patient].append(row)
    whole = {patient: merged(own) for patient, own in rows.items()}
    account.drop(
        "patients", "patients with rows that differ; the first counts", [p for p, (_, d) in whole.items() if d]
    )
    return {patient: values for patient, (values, _) in whole.items()}


def _read_samples(download: Download) -> dict[str, Sample]:
    found = {}
    for path in download.uses["samples"]:
        for row in read_records(path, required=("PATIENT_ID", "SAMPLE_ID"))[1]:
            name, patient = row.pop("SAMPLE_ID", ""), row.pop("PATIENT_ID", "")
            if name and patient:
                barcode = of_barcode(name)
                kind = barcode.type if barcode else type_of(row.get("SAMPLE_TYPE", ""))
                ffpe = is_ffpe(row.get("IS_FFPE", row.get("FFPE", "")))
                found[name] = Sample(name, patient, kind, ffpe, row)
    return found


def _outcomes(download: Download, patients: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Outcome]]:
    """Return the outcomes of patients who have both a status and a time."""
    where = str(download.uses.get("patients", download.uses["samples"])[0])
    found: dict[str, dict[str, Outcome]] = {}
    for endpoint, names in STATUS.items():
        for name in names:
            status, months = f"{name}_STATUS", f"{name}_MONTHS"
            known = {patient: row for patient, row in patients.items() if status in row and months in row}
            if known and endpoint not in found:
                found[endpoint] = {
                    patient: Outcome(
                        event_of(row[status], where=f"{where}, patient {patient}, column {status}"),
                        number_of(row[months], where=f"{where}, patient {patient}, column {months}"),
                    )
                    for patient, row in known.items()
                }
    return found


def _listed(download: Download, kind: str) -> list[str]:
    """Return the samples of the case lists of a kind."""
    lists = [read_keys(path).get("case_list_ids", "") for path in download.uses.get(f"{kind} samples", ())]
    return list(dict.fromkeys(name for text in lists for name in text.split()))


def _panels(download: Download, kind: str) -> dict[str, str]:
    """Return the gene panel of each sample that was sequenced with one."""
    paths = download.uses.get(f"{kind} panels", ())
    if not paths:
        return {}
    name = download.uses[kind][0].name
    metas = (read_keys(path) for path in download.uses["meta"])
    profile = next(keys.get("stable_id", "") for keys in metas if keys.get("data_filename") == name)
    return panels_of(paths[0], profile)


def _rna(download: Download, source: Source, samples: Mapping[str, Sample], account: Account) -> Matrix:
    return read_matrix(download.uses["rna"][0], genes=("Hugo_Symbol",), ignore=NOT_SAMPLES)


def _cnv(download: Download, source: Source, samples: Mapping[str, Sample], account: Account) -> Matrix:
    (path,) = download.uses["cnv"]
    header = read_header(path)
    if {"Sample_Id", "Value"} <= set(header.names):
        return _long(path, _listed(download, "cnv"), account)
    return read_matrix(path, genes=("Hugo_Symbol",), ignore=NOT_SAMPLES)


def _long(path: Path, listed: list[str], account: Account) -> Matrix:
    """Read copy numbers in the long format.

    A pair of gene and sample that is not in the file is missing if the file states zeros, else 0: then it lists
    alterations only.
    """
    header = read_header(path)
    columns = read_columns(header, ("Hugo_Symbol", "Sample_Id", "Value"), numbers=("Value",))
    genes, samples, value = columns["Hugo_Symbol"], columns["Sample_Id"], columns["Value"]
    states_zeros = bool((value == 0).any())
    names = list(dict.fromkeys([*listed, *samples.texts]))
    place = {name: at for at, name in enumerate(names)}
    values = np.full((len(genes.texts), len(names)), np.nan if states_zeros else 0, dtype=np.float32)
    whole = (genes.codes >= 0) & (samples.codes >= 0)
    at = np.array([place[name] for name in samples.texts])
    values[genes.codes[whole], at[samples.codes[whole]]] = value[whole]
    account.tell("cnv", format="long", pairs_not_listed="missing" if states_zeros else "0")
    return Matrix(genes.texts, tuple(names), values, str(path))


def _snv(download: Download, source: Source, samples: Mapping[str, Sample], account: Account) -> Matrix:
    listed = list(dict.fromkeys([*_listed(download, "snv"), *_panels(download, "snv")]))
    if not listed:
        account.warn(
            f"{download.folder}: no case list says who was sequenced (case_lists/cases_sequenced.txt); samples without"
            " any mutation count as not sequenced"
        )
    silent = (source.snv or MutationSource()).silent

    def named(path: Path, name: str) -> str:
        sample = find_sample(name, samples)
        return sample.name if sample else name

    return read_mutations(download.uses["snv"], profiled=listed, silent=silent, account=account, named=named)


_READ = {"rna": _rna, "cnv": _cnv, "snv": _snv}
