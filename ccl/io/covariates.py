"""The file of the clinical stage: the covariates of patients, and how they become numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.io.errors import InputError
from ccl.io.files import read_json, read_rows, write_json, write_table

CODING = "covariates.json"
"""Beside ``clinical.csv``: how each covariate becomes numbers."""


@dataclass(frozen=True)
class Covariate:
    """One fact about patients, such as age or stage."""

    name: str
    kind: Literal["numeric", "ordinal", "categorical"]
    levels: tuple[str, ...] = ()
    """Levels, in order if ordinal; the first level of a categorical covariate is the reference for the others."""
    indicator: bool = False
    """Whether an extra column is 1 where the value is missing."""
    unit: str = ""

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> Covariate:
        """Return the covariate that a JSON file describes."""
        return cls(**{**entries, "levels": tuple(entries["levels"])})

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns of numbers."""
        coded = tuple(f"{self.name}: {level}" for level in self.levels[1:]) if self.kind == "categorical" else ()
        return (coded or (self.name,)) + ((f"{self.name}: missing",) if self.indicator else ())

    def code(self, values: pd.Series) -> NDArray[np.float64]:
        """Return the numbers (P, columns) for the values of P patients; NaN if a value is missing.

        An ordinal level becomes its rank, from 1.  A categorical covariate has a column for each level but the first;
        the column is 1 for patients with this level.
        """
        missing = values.isna().to_numpy()
        if self.kind == "numeric":
            coded = values.to_numpy(dtype=np.float64)[:, None]
        else:
            ranks = pd.Index(self.levels).get_indexer(pd.Index(values))[:, None]
            coded = ranks + 1.0 if self.kind == "ordinal" else 1.0 * (ranks == np.arange(1, len(self.levels)))
        coded = np.where(missing[:, None], np.nan, coded)
        return np.hstack([coded, missing[:, None]]) if self.indicator else coded


@dataclass(frozen=True)
class Clinical:
    """The covariates of patients (``clinical.csv``, and ``covariates.json`` beside it)."""

    table: pd.DataFrame
    """Indexed by patient, a column for each covariate: numbers, or the names of levels; missing values are NaN."""
    covariates: tuple[Covariate, ...]
    facts: dict[str, Any]
    """Further facts from the stage: ``inputs`` and ``warnings``."""

    @property
    def patients(self) -> list[str]:
        """The patients, sorted."""
        return list(self.table.index)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of numbers of all covariates."""
        return tuple(column for covariate in self.covariates for column in covariate.columns)

    def coded(self, patients: Sequence[str]) -> NDArray[np.float64]:
        """Return the numbers (P, columns) of patients in the table; NaN if a value is missing."""
        rows = self.table.loc[list(patients)]
        return np.hstack([covariate.code(rows[covariate.name]) for covariate in self.covariates])

    def write(self, path: Path) -> None:
        """Write the table to `path`, and the coding beside it."""
        coding = {"covariates": [asdict(covariate) for covariate in self.covariates], **self.facts}
        write_json(path.parent / CODING, coding, checksum=True)
        write_table(path, self.table.rename_axis("patient_id").reset_index(), checksum=True)

    @classmethod
    def read(cls, path: Path) -> Clinical:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            A file is missing or incomplete, or a value is not in the coding.
        """
        facts = read_json(path.parent / CODING, required=("covariates",), todo="run snakemake again")
        covariates = tuple(map(Covariate.of, facts.pop("covariates")))
        header, rows = read_rows(path, required=("patient_id", *(each.name for each in covariates)))
        cells = pd.DataFrame([row.cells for row in rows], columns=header, dtype=str).set_index("patient_id")
        table = pd.DataFrame({each.name: _values(each, cells[each.name], path) for each in covariates})
        return cls(table, covariates, facts)


def _values(covariate: Covariate, cells: pd.Series, path: Path) -> pd.Series:
    """Return the values of a covariate from the text of its cells; empty cells are missing values."""
    there = cells != ""
    values = cells.where(there)
    if covariate.levels:
        wrong = there & ~cells.isin(covariate.levels)
    else:
        values = pd.to_numeric(values, errors="coerce")
        wrong = there & values.isna()
    if wrong.any():
        raise InputError(
            "a value that the coding does not know",
            where=f"{path}, column {covariate.name}",
            found=cells[wrong].iloc[0],
            expected=", ".join(covariate.levels) or "numbers",
            todo="run snakemake again",
        )
    return values


def coded_files(clinical: Path | None) -> list[Path]:
    """Return ``clinical.csv`` and its coding beside it; nothing if there is none."""
    return [clinical, clinical.parent / CODING] if clinical else []
