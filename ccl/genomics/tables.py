"""Omics tables, as one matrix with a column per gene and kind."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from ccl.config.cohort_sections import OMICS_SUFFIXES
from ccl.config.sections import GenomicsSettings
from ccl.io.errors import InputError
from ccl.io.files import read_table, row_of
from ccl.io.formats import OmicsTables


class Omics(Protocol):
    """The omics of a cohort."""

    @property
    def columns(self) -> Sequence[str]:
        """All columns, such as ``TP53_rnaseq``."""

    def take(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return some columns as float32, indexed by patient, sorted; NaN where a patient is in some tables only."""


def open_omics(tables: Mapping[str, Path], settings: GenomicsSettings) -> Omics:
    """Return the omics of some tables.

    Parameters
    ----------
    tables : mapping
        As :func:`read_omics` takes them; or ``{"wide": path}`` of ``omics.h5``, which the source stage made of a
        download, and of which only the columns that are taken are read.

    Raises
    ------
    InputError
        As :func:`read_omics` says.
    """
    wide = tables.get("wide")
    if wide is not None and wide.suffix == ".h5":
        return _Download(wide, settings, OmicsTables.genes_in(wide))
    return _Tables(read_omics(tables, settings))


@dataclass(frozen=True)
class _Tables:
    """The user's tables, read whole."""

    table: pd.DataFrame

    @property
    def columns(self) -> Sequence[str]:
        return list(self.table.columns)

    def take(self, columns: Sequence[str]) -> pd.DataFrame:
        return self.table[list(columns)]


@dataclass(frozen=True)
class _Download:
    """The tables of a download, of which single genes are read."""

    path: Path
    settings: GenomicsSettings
    genes: Mapping[str, Sequence[str]]
    """By their kind."""

    @property
    def columns(self) -> Sequence[str]:
        return [gene + OMICS_SUFFIXES[kind] for kind, genes in self.genes.items() for gene in genes]

    def take(self, columns: Sequence[str]) -> pd.DataFrame:
        wanted = set(columns)
        genes = {
            kind: [gene for gene in own if gene + OMICS_SUFFIXES[kind] in wanted] for kind, own in self.genes.items()
        }
        kinds = OmicsTables.read(self.path, {kind: own for kind, own in genes.items() if own}).kinds
        parts = [
            pd.DataFrame(values.T, index=list(patients), columns=[gene + OMICS_SUFFIXES[kind] for gene in names])
            for kind, (patients, names, values) in kinds.items()
        ]
        every = pd.concat(parts, axis=1).sort_index()[list(columns)]
        complete = pd.concat(parts, axis=1, join="inner").index
        print(f"{self.path}: {len(complete)} of {len(every)} patients have all of {', '.join(kinds)}", file=sys.stderr)
        if self.settings.missing == "mean":
            return _numbers(self.path, every, self.settings)
        if complete.empty:
            shown = [f"{kind}: {', '.join(map(str, part.index[:3]))}" for kind, part in zip(kinds, parts, strict=True)]
            raise InputError(
                "no patient has every kind of omics",
                where=str(self.path),
                found="; ".join(shown),
                expected="the same patients in each kind",
                todo="name the kinds to read in the config's `from`, or set `genomics: missing: mean`",
            )
        return _numbers(self.path, every[every.index.isin(complete)], self.settings)


def read_omics(tables: Mapping[str, Path], settings: GenomicsSettings) -> pd.DataFrame:
    """Read omics into one float32 table, a row per patient and a column per gene and kind.

    Parameters
    ----------
    tables : mapping
        By their key in the config: ``{"wide": path}`` for one table whose columns end in :data:`OMICS_SUFFIXES`, or
        kinds of omics for tables whose columns are genes.

    Returns
    -------
    DataFrame
        Indexed by patient, sorted; columns such as ``TP53_rnaseq``; NaN where a patient is in some tables only.

    Raises
    ------
    InputError
        A value is not a number, is infinite, or is missing although ``missing`` is ``error``; rows of one
        patient disagree; a table has no omics column.
    """
    parts = []
    for kind, path in tables.items():
        raw = read_table(path, required=(settings.patient_column,), text=(settings.patient_column,))
        raw = raw.set_index(settings.patient_column)
        if kind == "wide":
            part = raw[[name for name in raw.columns if str(name).endswith(tuple(OMICS_SUFFIXES.values()))]]
        else:
            part = raw.add_suffix(OMICS_SUFFIXES[kind])
        if part.shape[1] == 0:
            columns = ", ".join(f"TP53{suffix}" for suffix in OMICS_SUFFIXES.values())
            raise InputError(
                "no omics columns",
                where=f"{path}, header",
                found=", ".join(map(str, raw.columns[:8])),
                expected=f"columns such as {columns}" if kind == "wide" else "a column per gene",
                todo="check which key of the config's `omics` names the table",
            )
        parts.append(_one_row_a_patient(path, _numbers(path, part, settings)))
    table = pd.concat(parts, axis=1).sort_index()
    _check_complete(table, tables, settings)
    return table


def _numbers(path: Path, part: pd.DataFrame, settings: GenomicsSettings) -> pd.DataFrame:
    with np.errstate(over="ignore"):
        # A number such as 1e39 is infinite in float32.
        numbers = part.apply(pd.to_numeric, errors="coerce").astype(np.float32)
    values = numbers.to_numpy()
    missing = part.isna().to_numpy()
    bad = ~np.isfinite(values) & ~missing
    if settings.missing == "error":
        bad |= missing
    if bad.any():
        row, column = np.argwhere(bad)[0]
        empty = bool(missing[row, column])
        raise InputError(
            "an omics value is missing" if empty else "an omics value is not a finite number",
            where=f"{path}, row {row_of(row)} (patient {part.index[row]}), column {part.columns[column]}",
            found=f"{'nothing' if empty else str(part.iat[row, column])} ({int(bad.sum())} such values in the table)",
            expected="a finite number in the range of float32",
            todo="fill the value, or set `genomics: missing: mean` to take the mean of the training patients"
            if empty
            else "correct the value",
        )
    return pd.DataFrame(numbers)


def _one_row_a_patient(path: Path, part: pd.DataFrame) -> pd.DataFrame:
    if part.index.isna().any():
        row = int(np.flatnonzero(part.index.isna())[0])
        raise InputError(
            "a row names no patient", where=f"{path}, row {row_of(row)}", expected="a patient", todo="fill or remove it"
        )
    first = part[~part.index.duplicated()]
    again = part[part.index.duplicated()]
    same = np.isclose(again.to_numpy(), first.loc[again.index].to_numpy(), equal_nan=True).all(axis=1)
    if not same.all():
        raise InputError(
            "the omics rows of a patient disagree",
            where=f"{path}, patient {again.index[~same][0]}",
            found="different values in two rows",
            expected="one row a patient, or equal rows",
            todo="keep the row of the primary tumour",
        )
    return first


def _check_complete(table: pd.DataFrame, tables: Mapping[str, Path], settings: GenomicsSettings) -> None:
    """Refuse a patient of one table only: the gaps in the others show in no single table."""
    gaps = table.isna().any(axis=1)
    if settings.missing == "error" and gaps.any():
        patient = table.index[gaps][0]
        column = table.columns[table.loc[patient].isna()][0]
        raise InputError(
            "a patient is missing from an omics table",
            where=f"{', '.join(str(path) for path in tables.values())}, patient {patient}",
            found=f"no value for {column} ({int(gaps.sum())} such patients)",
            expected="the same patients in each table",
            todo="add the patient, or set `genomics: missing: mean` to take the mean of the training patients",
        )
