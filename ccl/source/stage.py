"""The source stage: a download in, tables of patients, covariates and omics out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.clinical.propose import propose_covariates
from ccl.config.cohort_sections import Source
from ccl.config.keys import recorded
from ccl.io.errors import InputError
from ccl.io.files import digest, identified, write_json, write_table
from ccl.io.formats import OmicsTables
from ccl.io.origin import record
from ccl.source import VERSION
from ccl.source.account import Account
from ccl.source.download import Download
from ccl.source.genes import read_symbols, resolve_genes
from ccl.source.layouts import LAYOUTS, find_download
from ccl.source.matrix import Matrix
from ccl.source.samples import facts_of, one_a_patient, site_of
from ccl.source.study import Study
from ccl.source.transforms import check_mutations, transform

MANY = 20
"""Files of one use, above which they have one digest together."""


def read_source(out: Path, *, source: Source, folder: Path, genes: Path | None, omics: bool) -> None:
    """Write ``patients.csv``, ``clinical.csv``, ``omics.h5`` and ``summary.json``.

    Parameters
    ----------
    out : Path
        Folder of the results.
    source : section
        What is read, and how.
    folder : Path
        Folder of the download.
    genes : Path, optional
        Table from Ensembl ids to symbols.
    omics : bool
        Whether omics are read.

    Raises
    ------
    InputError, ConfigError
        The download lacks a file, or a file cannot be read.
    """
    download = find_download(source, folder)
    download = download if omics else download.without_omics()
    account = Account()
    study: Study = LAYOUTS[download.layout].read_study(download, source, account)
    if not any(study.outcomes.values()):
        raise InputError(
            "no patient has an outcome",
            where=str(folder),
            found=f"{len(study.patients)} patients, none of them with an endpoint",
            expected="a status and a time of OS, DSS, PFI or DFI",
            todo="check the clinical files of the download",
        )
    symbols = read_symbols(genes) if genes else {}
    tables = {kind: _tidy(kind, matrix, study, source, symbols, account) for kind, matrix in study.omics.items()}
    _check_common(study, tables)
    patients = sorted(study.patients)
    write_table(out / "patients.csv", _patients(patients, study, account), checksum=True)
    write_table(out / "clinical.csv", _clinical(patients, study, source), checksum=True)
    OmicsTables({kind: (m.samples, m.genes, m.values) for kind, m in tables.items()}).write(out / "omics.h5")
    write_json(out / "summary.json", _summary(download, study, tables, account, genes), checksum=True)
    names = ("summary.json", "patients.csv", "clinical.csv", "omics.h5")
    record(
        "source",
        VERSION,
        outputs=[out / name for name in names],
        inputs={**download.uses, "genes": genes},
        settings=recorded(source),
    )
    _propose(out / "clinical.csv", patients)


def _propose(table: Path, patients: list[str]) -> None:
    """Print the clinical columns as covariates of a config, to be chosen from."""
    found = propose_covariates(table, patients)
    lines = found.lines[found.lines.index("covariates:") :] if found else []
    if len(lines) > 1:
        print("columns that may be covariates, for `clinical:` of the config; keep what was known at diagnosis:")
        print("\n".join(["clinical:", *(f"  {line}" for line in lines)]))


def _summary(
    download: Download, study: Study, tables: Mapping[str, Matrix], account: Account, genes: Path | None
) -> dict[str, Any]:
    complete = set(study.patients).intersection(*(matrix.samples for matrix in tables.values()))
    return {
        "layout": download.layout,
        "patients": len(study.patients),
        "kinds": list(tables),
        "complete": len(complete) if tables else None,
        "read": account.read,
        "dropped": account.dropped,
        "warnings": account.warnings,
        "inputs": {"source": _inputs(download, genes)},
    }


def _inputs(download: Download, genes: Path | None) -> list[dict[str, str]]:
    """Return name and digest of each file; the many files of one use have one digest of their digests."""
    found: list[dict[str, str]] = []
    for paths in ({**download.uses, "genes": (genes,)} if genes else download.uses).values():
        rows = identified(paths)
        if len(rows) > MANY:
            rows = [{"file": f"{rows[0]['file']} and {len(rows) - 1} more", "sha256": digest(rows)}]
        found += [row for row in rows if row not in found]
    return found


def _check_common(study: Study, tables: Mapping[str, Matrix]) -> None:
    """Raise InputError if no patient with omics has an outcome."""
    followed = {patient for outcomes in study.outcomes.values() for patient in outcomes}
    measured = {patient for matrix in tables.values() for patient in matrix.samples}
    if tables and not followed & measured:
        raise InputError(
            "no patient has both omics and an outcome",
            where=", ".join(matrix.origin for matrix in tables.values()),
            found=f"omics of {', '.join(sorted(measured)[:3])}; outcomes of {', '.join(sorted(followed)[:3])}",
            expected="the same names of patients in all files",
            todo="check that all files are of the same study",
        )


def _tidy(
    kind: str,
    matrix: Matrix,
    study: Study,
    source: Source,
    symbols: Mapping[str, str],
    account: Account,
) -> Matrix:
    """Return the matrix of a kind with each patient and each gene once, transformed."""
    account.tell(kind, file=Path(matrix.origin).name, rows=len(matrix.genes), samples=len(matrix.samples))
    if kind == "snv":
        check_mutations(matrix)
    matrix = one_a_patient(kind, matrix, study.samples, study.patients, types=source.samples, account=account)
    matrix = resolve_genes(kind, matrix, symbols, account=account)
    entry = getattr(source, kind)
    if kind != "snv":
        matrix = transform(kind, matrix, entry.transform if entry else "none", account=account)
    account.tell(kind, genes=len(matrix.genes), patients=len(matrix.samples))
    return matrix


def _patients(patients: list[str], study: Study, account: Account) -> pd.DataFrame:
    """Return the table of outcomes: 1 = event, times in months; empty where an outcome is not known."""
    table = pd.DataFrame({"patient_id": patients, "site": [site_of(patient) for patient in patients]})
    for endpoint, outcomes in study.outcomes.items():
        known = [outcomes.get(patient) for patient in patients]
        table[endpoint] = pd.Series([outcome.event if outcome else None for outcome in known], dtype="Int64")
        table[f"{endpoint}.time"] = [outcome.months if outcome else None for outcome in known]
        events = sum(outcome.event for outcome in known if outcome)
        account.tell(endpoint, patients=sum(outcome is not None for outcome in known), events=events)
        account.drop(endpoint, "patients without this endpoint", [p for p in patients if p not in outcomes])
    return table


def _clinical(patients: list[str], study: Study, source: Source) -> pd.DataFrame:
    """Return all clinical columns as text: those of the patient, then those of the patient's first sample."""
    of_sample = facts_of(study.samples.values(), source.samples)
    rows = [{"patient_id": patient, **of_sample.get(patient, {}), **study.patients[patient]} for patient in patients]
    columns = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame(rows, columns=list(columns), dtype=object)
