"""What a model adds to clinical covariates, as the stage ``added`` wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.io.files import read_json, read_table
from ccl.results.described import Described, check_described

ENTRIES = ("cohort", "encoder", "model", "method", "weights", "synthetic", "covariates", "warnings", "protocols")
"""Required entries of ``added.json``."""

TABLES = ("benefit", "calibration", "groups", "interactions")


@dataclass(frozen=True)
class Added(Described):
    """The results of one model; the facts are ``added.json``."""

    benefit: pd.DataFrame
    calibration: pd.DataFrame
    groups: pd.DataFrame
    interactions: pd.DataFrame

    @property
    def covariates(self) -> list[str]:
        """Names of the covariates."""
        return [str(covariate["name"]) for covariate in self.facts["covariates"]]

    @property
    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """What was found under each protocol."""
        found: Mapping[str, Mapping[str, Any]] = self.facts["protocols"]
        return found


def read_added(folder: Path) -> Added:
    """Read the files of one model.

    Raises
    ------
    InputError
        A file is missing or damaged.
    """
    facts = read_json(folder / "added.json", required=ENTRIES, todo="run `ccl added` again")
    check_described(folder / "added.json", facts)
    tables = (read_table(folder / f"{name}.csv", required=("protocol",)) for name in TABLES)
    return Added(facts, *tables)
