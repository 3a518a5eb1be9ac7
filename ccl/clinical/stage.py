"""The clinical stage: reads the user's clinical table and writes covariates and the cohort's characteristics."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from ccl.clinical import VERSION
from ccl.clinical.characteristics import characteristics, groups_of
from ccl.clinical.checks import check_association, check_names, imbalance, warnings
from ccl.clinical.table import covariates_of, read_clinical
from ccl.config import cohort_sections
from ccl.config.keys import recorded
from ccl.io.covariates import CODING, Clinical
from ccl.io.files import identified, read_table, write_table
from ccl.io.origin import record


def read_covariates(
    out: Path,
    *,
    table: Path,
    clinical: cohort_sections.Clinical,
    patient_column: str,
    outcome_columns: tuple[str, ...],
    patients: Path | None,
    folds: Path | None,
) -> None:
    """Write ``clinical.csv``, ``covariates.json`` and ``characteristics.csv``.

    Parameters
    ----------
    out : Path
        Folder of the results.
    table : Path
        The user's clinical table.
    clinical : section
        Which covariates are read, and what their values mean.
    patient_column : str
        The column of `table` that names the patient.
    outcome_columns : tuple of str
        Columns of the follow-up, which no covariate may be.
    patients, folds : Path, optional
        Tables of the cohort stage; without them, all patients of `table` are read and nothing is compared with
        survival.

    Raises
    ------
    ConfigError, InputError
        As :func:`read_clinical`, :func:`check_names` and :func:`check_association` say.
    """
    check_names(clinical, outcome_columns)
    followed = _followed(patients)
    known = None if followed is None else set(followed["patient_id"])
    values = read_clinical(table, clinical, patient_column=patient_column, patients=known)
    read = Clinical(values, covariates_of(clinical), {"inputs": {"table": identified([table])}, "warnings": []})
    if followed is not None:
        check_association(read, followed)
        read.facts["warnings"] = warnings(read, followed)
    groups = {"all": read.patients}
    if followed is not None and folds is not None:
        split = read_table(folds, required=("fold", "patient_id", "role"), text=("patient_id",))
        groups = groups_of(followed, split)
        read.facts["warnings"] += imbalance(read, split)
    for line in read.facts["warnings"]:
        print(f"warning: {line}", file=sys.stderr)
    read.write(out / "clinical.csv")
    write_table(out / "characteristics.csv", characteristics(read, groups), checksum=True)
    record(
        "clinical",
        VERSION,
        outputs=[out / name for name in ("clinical.csv", CODING, "characteristics.csv")],
        inputs={"table": table, "patients": patients, "folds": folds},
        settings=recorded(clinical),
    )


def _followed(patients: Path | None) -> pd.DataFrame | None:
    columns = ("patient_id", "months", "censorship")
    return read_table(patients, required=columns, text=("patient_id",)) if patients else None
