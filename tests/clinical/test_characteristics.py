"""Table 1 of a cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccl.clinical.characteristics import characteristics, groups_of
from ccl.io.covariates import Clinical, Covariate

COVARIATES = (
    Covariate("age", "numeric", unit="years"),
    Covariate("stage", "ordinal", ("I", "II", "III")),
    Covariate("er", "categorical", ("-", "+")),
)

PATIENTS = pd.DataFrame({"patient_id": list("ABCDEF"), "months": range(1, 7), "censorship": [0, 0, 0, 1, 1, 1]})
FOLDS = pd.DataFrame(
    {
        "fold": [0] * 6 + [1] * 6,
        "patient_id": list("ABCDEF") * 2,
        "role": ["test", "train"] * 3 + ["train", "test"] * 3,
    }
)
TABLE = pd.DataFrame(
    {
        "age": [60.0, 70.5, np.nan, 50.0, 55.0],
        "stage": ["I", "III", "III", "I", np.nan],
        "er": ["+", np.nan, np.nan, np.nan, "-"],
    },
    index=list("ABCDE"),
)
"""F has no row."""


def test_each_group_is_described_as_a_journal_prints_it() -> None:
    table = characteristics(Clinical(TABLE, COVARIATES, {}), groups_of(PATIENTS, FOLDS))
    assert table.to_csv(index=False).splitlines() == [
        "covariate,value,all,dead,alive,fold0,fold1",
        "patients,n,6,3,3,3,3",
        "age (years),n,4,2,2,2,2",
        "age (years),median (range),57.5 (50 to 70.5),65.25 (60 to 70.5),52.5 (50 to 55),57.5 (55 to 60),"
        "60.25 (50 to 70.5)",
        "age (years),missing,2 (33 %),1 (33 %),1 (33 %),1 (33 %),1 (33 %)",
        "stage,n,4,3,1,2,2",
        "stage,I,2 (50 %),1 (33 %),1 (100 %),1 (50 %),1 (50 %)",
        "stage,II,0 (0 %),0 (0 %),0 (0 %),0 (0 %),0 (0 %)",
        "stage,III,2 (50 %),2 (67 %),0 (0 %),1 (50 %),1 (50 %)",
        "stage,missing,2 (33 %),0 (0 %),2 (67 %),1 (33 %),1 (33 %)",
        "er,n,2,1,1,2,0",
        "er,-,1 (50 %),0 (0 %),1 (100 %),1 (50 %),–",  # noqa: RUF001
        "er,+,1 (50 %),1 (100 %),0 (0 %),1 (50 %),–",  # noqa: RUF001
        "er,missing,4 (67 %),2 (67 %),2 (67 %),1 (33 %),3 (100 %)",
    ]


def test_new_patients_are_one_group() -> None:
    table = characteristics(Clinical(TABLE, COVARIATES, {}), {"all": list(TABLE.index)})
    assert list(table.columns) == ["covariate", "value", "all"]
    assert table.loc[table["value"] == "III", "all"].item() == "2 (50 %)"


def test_repeats_of_the_folds_are_no_further_groups() -> None:
    again = FOLDS.assign(fold=FOLDS["fold"] + 2, role=FOLDS["role"].to_numpy()[::-1])
    assert groups_of(PATIENTS, pd.concat([FOLDS, again])) == groups_of(PATIENTS, FOLDS)
