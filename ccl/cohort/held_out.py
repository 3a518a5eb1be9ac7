"""The patients that no fold sees."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ccl.config.cohort_sections import CohortSettings
from ccl.io.errors import InputError
from ccl.io.files import read_rows, read_table


def read_held_out(path: Path, settings: CohortSettings, patients: pd.DataFrame, left_out: set[str]) -> list[str]:
    """Read a list of patients, or of sites, that are in no fold.

    Parameters
    ----------
    path : Path
        Table with the cohort's column of the patient (or ``patient_id``), or else with a column ``site``.
    settings : CohortSettings
        Name of the column.
    patients : DataFrame
        ``patient_id``, and ``site`` if the cohort has sites.
    left_out : set of str
        Patients without follow-up, who may be listed.

    Returns
    -------
    list of str
        Patients of the cohort, sorted.

    Raises
    ------
    InputError
        The table has none of these columns, or names a patient or a site that the cohort does not have.
    """
    header = read_rows(path)[0]
    names = [name for name in (settings.patient_column, "patient_id", "site") if name in header]
    if not names or (names[0] == "site" and "site" not in patients):
        raise InputError(
            "the table of held-out patients names nobody",
            where=f"{path}, header",
            found=", ".join(header[:12]),
            expected=f"a column {settings.patient_column}; or a column site, if the config says where `site` is",
            todo="rename the column",
        )
    column = "site" if names[0] == "site" else "patient_id"
    listed = set(read_table(path, text=(names[0],))[names[0]].dropna())
    unknown = sorted(listed - set(patients[column]) - left_out)
    if unknown:
        raise InputError(
            "a held-out patient is not in the cohort" if column == "patient_id" else "a held-out site has no patients",
            where=f"{path}, column {names[0]}",
            found=f"{unknown[0]}" + (f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""),
            expected="names as in the table of patients",
            todo="correct the names, or take them out of the list",
        )
    return sorted(patients.loc[patients[column].isin(listed), "patient_id"])
