"""Stage ``cohort``: patients, slides and folds, checked once and written in one layout."""

from __future__ import annotations

from dataclasses import dataclass

from ccl.config.settings import setting

VERSION = 3
"""Bumped when the stage's output changes for the same input."""


@dataclass(frozen=True)
class CohortSettings:
    """How the user's tables are read, and how folds are drawn where none are given."""

    patient_column: str = setting("column that names the patient")
    months_column: str = setting("column of the follow-up in months")
    censorship_column: str = setting("column that is 1 where the patient was censored, 0 where death was observed")
    n_folds: int = setting("folds to draw where no folder of folds is given")
    fold_seed: int = setting("seed of that draw")
    synthetic: bool = setting("label everything made from this cohort as synthetic")
