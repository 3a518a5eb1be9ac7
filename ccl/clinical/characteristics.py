"""Table 1 of a cohort as clinical journals print it: what its patients are like.

There are no p-values: a test of dead against alive would ignore how long patients were followed, and folds are drawn at
random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ccl.io.covariates import Clinical, Covariate
from ccl.pages.numbers import MISSING, percent

COLUMNS = ("covariate", "value")
"""What a row shows; further columns are groups of patients."""


def groups_of(patients: pd.DataFrame, folds: pd.DataFrame) -> dict[str, list[str]]:
    """Return the patients by group: ``all``, ``dead`` and ``alive`` at the end of follow-up, ``fold0`` and so on.

    Parameters
    ----------
    patients, folds : DataFrame
        Tables of the cohort stage; the patients of a fold are its test patients.  If patients are tested several times,
        there are groups only for the folds before the first that tests a patient again.
    """
    names, dead = patients["patient_id"], patients["censorship"] == 0
    tested = folds[folds["role"] == "test"].sort_values("fold", kind="stable")
    again = set(tested.loc[tested["patient_id"].duplicated(), "fold"])
    test = tested[tested["fold"] < min(again, default=np.inf)].groupby("fold")["patient_id"]
    return {
        "all": list(names),
        "dead": list(names[dead]),
        "alive": list(names[~dead]),
        **{f"fold{fold}": list(own) for fold, own in test},
    }


def characteristics(clinical: Clinical, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return a column of text for each group of patients, and a row for each number about them.

    A patient without a row in the clinical table counts as missing.  Shares of levels refer to the patients with a
    value, and shares of missing values to all patients of the group.
    """
    tables = {name: clinical.table.reindex(list(patients)) for name, patients in groups.items()}
    rows = [{"covariate": "patients", "value": "n", **{name: str(len(table)) for name, table in tables.items()}}]
    for covariate in clinical.covariates:
        cells = [list(_cells(covariate, table[covariate.name])) for table in tables.values()]
        title = f"{covariate.name} ({covariate.unit})" if covariate.unit else covariate.name
        for same in zip(*cells, strict=True):
            texts = dict(zip(groups, (text for _, text in same), strict=True))
            rows.append({"covariate": title, "value": same[0][0], **texts})
    return pd.DataFrame(rows, columns=[*COLUMNS, *groups])


def _cells(covariate: Covariate, values: pd.Series) -> Iterator[tuple[str, str]]:
    """Yield name and text of each number about a covariate of some patients."""
    known = values.dropna()
    yield "n", str(len(known))
    if covariate.kind == "numeric":
        text = f"{known.median():.4g} ({known.min():.4g} to {known.max():.4g})"
        yield "median (range)", text if len(known) else MISSING
    for level in covariate.levels:
        yield level, _share(int((known == level).sum()), len(known))
    yield "missing", _share(len(values) - len(known), len(values))


def _share(count: int, whole: int) -> str:
    return f"{count} ({percent(count / whole, 0)})" if whole else MISSING
