"""Folds drawn where none are given."""

from __future__ import annotations

import pandas as pd
from sklearn.model_selection import StratifiedKFold

from ccl.io.errors import ConfigError


def draw_folds(patients: pd.DataFrame, n_folds: int, seed: int) -> pd.DataFrame:
    """Draw a partition into test folds, stratified by censorship (same layout as :func:`ccl.cohort.folds.read_folds`).

    Raises
    ------
    ConfigError
        There are fewer events, or fewer censored patients, than folds.
    """
    rarest = int(patients["censorship"].value_counts().min())
    if rarest < n_folds:
        raise ConfigError(
            "too few patients for the folds",
            where="config, cohort: n_folds",
            found=f"{n_folds} folds, but only {rarest} patients of one kind (event or censored)",
            expected="at least one event and one censored patient in each fold",
            todo="lower n_folds",
        )
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    rows = [
        (fold, patients["patient_id"].iloc[index], role)
        for fold, sides in enumerate(splitter.split(patients, patients["censorship"]))
        for role, side in zip(("train", "test"), sides, strict=True)
        for index in side
    ]
    return pd.DataFrame(rows, columns=["fold", "patient_id", "role"])
