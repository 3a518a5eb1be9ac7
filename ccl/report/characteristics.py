"""The characteristics of a cohort's patients: their table on the page and for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.io.covariates import CODING
from ccl.io.files import read_json, read_rows
from ccl.results.gather import Cohort
from ccl.results.latex import latex_table

CAPTION = (
    "Patients of {cohort}: median and range, or count and share of the patients whose value is known. Groups: dead and"
    " alive at the end of follow-up, and the test patients of each fold."
)


@dataclass(frozen=True)
class Characteristics:
    """What the clinical stage says of a cohort's patients."""

    cohort: str
    table: pd.DataFrame
    """``covariate``, ``value`` and a column for each group of patients; all text."""
    warnings: Sequence[str]
    """What a reader of any result with these covariates must know."""

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"characteristics.{self.cohort}"

    @property
    def groups(self) -> Mapping[str, str]:
        """The columns of the groups of patients, with their titles."""
        columns = [str(column) for column in self.table.columns[2:]]
        return {name: f"Fold {name[4:]}" if name.startswith("fold") else name.capitalize() for name in columns}

    @property
    def covariates(self) -> list[tuple[str, list[dict[str, str]]]]:
        """The rows of each covariate."""
        rows: list[Any] = self.table.to_dict("records")
        return [(name, list(own)) for name, own in groupby(rows, key=itemgetter("covariate"))]

    def latex(self, cohorts: Sequence[Cohort]) -> str:
        """Return the table for a paper; `cohorts` tells whether the patients are synthetic."""
        names = {"covariate": "Covariate", "value": "Value", **self.groups}
        cells = self.table.rename(columns=names)
        cells["Covariate"] = cells["Covariate"].mask(cells["Covariate"].duplicated(), "")
        synthetic = any(cohort.synthetic for cohort in cohorts if cohort.name == self.cohort)
        caption = CAPTION.format(cohort=self.cohort) + " Careful: these patients are synthetic." * synthetic
        return latex_table(cells, caption, f"tab:{self.name}")


def read_characteristics(path: Path) -> Characteristics:
    """Read ``characteristics.csv`` of a cohort, and the warnings beside it.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    header, rows = read_rows(path, required=("covariate", "value", "all"))
    table = pd.DataFrame([row.cells for row in rows], columns=header, dtype=str)
    warnings = read_json(path.parent / CODING, required=("warnings",), todo="run snakemake again")["warnings"]
    return Characteristics(path.absolute().parents[1].name, table, warnings)
