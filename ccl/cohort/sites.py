"""The hospital of each patient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ccl.config.cohort_sections import MISSING
from ccl.io.errors import InputError
from ccl.io.files import read_table

TCGA = "tcga-barcode"
"""Reads the site from the name of a TCGA patient, whose second field is the code of the tissue source site."""

BARCODE = re.compile(r"TCGA-([A-Z0-9]{2})-[A-Z0-9]{4}.*")


def read_sites(path: Path, patient_column: str, site: str, patients: Sequence[str]) -> list[str]:
    """Return the site of each patient.

    Parameters
    ----------
    path : Path
        The table of patients.
    patient_column, site : str
        Its columns of the patient and of the site; or :data:`TCGA` for the site.
    patients : sequence of str
        The patients whose sites are wanted.

    Raises
    ------
    InputError
        A patient has no site or two of them, or is not named by a TCGA barcode.
    """
    if site == TCGA:
        return [_of_barcode(path, patient) for patient in patients]
    table = read_table(path, required=(patient_column, site), text=(patient_column, site))[[patient_column, site]]
    table = table[table[patient_column].isin(patients)]
    known = table[~table[site].isin(MISSING)].dropna().drop_duplicates()
    counts = known[patient_column].value_counts().reindex(list(patients), fill_value=0)
    if counts.ne(1).any():
        patient = counts.index[counts.ne(1)][0]
        raise InputError(
            "a patient does not have one site",
            where=f"{path}, patient {patient}, column {site}",
            found=", ".join(known.loc[known[patient_column] == patient, site]) or "nothing",
            expected="one hospital for each patient",
            todo="fill in the site, or take the patient out of the table",
        )
    return known.set_index(patient_column)[site].loc[list(patients)].tolist()


def _of_barcode(path: Path, patient: str) -> str:
    match = BARCODE.fullmatch(patient)
    if match is None:
        raise InputError(
            "a patient's name is not a TCGA barcode",
            where=f"{path}, patient {patient}",
            expected="TCGA-, two characters for the site, and four for the patient, such as TCGA-2F-A9KO",
            todo="name a column of the table in `site` instead of tcga-barcode",
        )
    return match[1]
