"""Covariates that would spoil an analysis: the outcome in disguise, and those that a model cannot use well."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ccl.config import sections
from ccl.io.covariates import Clinical, Covariate
from ccl.io.errors import ConfigError, InputError

OUTCOMES = re.compile(
    r"(vital|tumou?r|cancer|survival|dss|dfi|pfi|os|dfs|pfs|rfs|event|recurrence|progression|disease_free)_?(status|state)"
    r"|(os|dss|dfi|pfi|dfs|pfs|rfs)([._]?(time|event|months|days|censor\w*))?"
    r"|(days|months|years|time)_to_\w*(death|last|follow|event|recurrence|progression|relapse|tumou?r_event)\w*"
    r"|\w*(follow_?up|last_contact|survival|censor|death|deceased|cause_of_death|new_tumou?r_event|recurrence"
    r"|relapse|progression)\w*|dead|alive|status|event",
    re.IGNORECASE,
)
"""Columns that tell what became of the patient."""

LARGEST_C = 0.95
"""A C-index beyond this, or below its complement, is no covariate's."""

EVENTS_PER_COLUMN = 10
"""Deaths per coefficient below which Cox models are unreliable (Peduzzi et al., J. Clin. Epidemiol. 1995)."""


def check_names(clinical: sections.Clinical, outcome_columns: tuple[str, ...]) -> None:
    """Refuse covariates that are named like an outcome.

    Raises
    ------
    ConfigError
        A covariate or its column is named like an outcome, or is the cohort's own follow-up.
    """
    for name, entry in clinical.covariates.items():
        for column in (name, *entry.columns):
            if OUTCOMES.fullmatch(column) or column in outcome_columns:
                raise ConfigError(
                    "a covariate is the outcome in disguise",
                    where=f"config, clinical: covariates: {name}",
                    found=f"column {column}",
                    expected="what was known at diagnosis",
                    todo="take the covariate out, or rename the column if it was known at diagnosis",
                )


def check_association(clinical: Clinical, patients: pd.DataFrame) -> None:
    """Refuse a covariate that alone orders the patients by survival as only the outcome does.

    Raises
    ------
    InputError
        The C-index of a covariate's number is above .95 or below .05.
    """
    from lifelines.utils import concordance_index

    known = patients[patients["patient_id"].isin(clinical.patients)]
    coded = clinical.coded(list(known["patient_id"]))
    for column, values in zip(clinical.columns, coded.T, strict=True):
        there = ~np.isnan(values)
        months, dead = known["months"][there], known["censorship"][there] == 0
        if not _comparable(months.to_numpy(), dead.to_numpy()):
            continue
        c = concordance_index(months, -values[there], dead)
        if max(c, 1 - c) > LARGEST_C:
            raise InputError(
                "a covariate is the outcome in disguise",
                where=f"clinical: covariates, {column}",
                found=f"a C-index of {c:.3f} of this covariate alone",
                expected=f"at most {LARGEST_C:g}",
                todo="take the covariate out; only what was known at diagnosis may be one",
            )


def _comparable(months: np.ndarray, dead: np.ndarray) -> bool:
    return bool(dead.any() and (months[dead].min() < months.max()))


def warnings(clinical: Clinical, patients: pd.DataFrame) -> list[str]:
    """Return what a reader of any result with these covariates must know, a sentence each."""
    return list(_warnings(clinical, patients))


def _warnings(clinical: Clinical, patients: pd.DataFrame) -> Iterator[str]:
    outcome = patients.set_index("patient_id")
    absent = sorted(set(outcome.index) - set(clinical.patients))
    if absent:
        yield (
            f"{len(absent)} patients have no row in the clinical table, such as {absent[0]}: models that read"
            " covariates leave them out."
        )
    known = outcome[outcome.index.isin(clinical.patients)]
    deaths, columns = int((known["censorship"] == 0).sum()), len(clinical.columns)
    if deaths < EVENTS_PER_COLUMN * columns:
        yield (
            f"{deaths} deaths for {columns} coefficients: fewer than {EVENTS_PER_COLUMN} deaths for each, so"
            " coefficients are unsure. Use fewer covariates."
        )
    for covariate in clinical.covariates:
        yield from _separated(covariate, clinical.table[covariate.name].reindex(known.index), known["censorship"] == 0)


def _separated(covariate: Covariate, values: pd.Series, dead: pd.Series) -> Iterator[str]:
    for level in covariate.levels:
        here = dead[values == level]
        if here.empty:
            yield f"{covariate.name} {level}: no patient. Take the level out, or join it with another."
        elif here.all() or not here.any():
            what = "all patients died" if here.all() else "no patient died"
            yield (
                f"{covariate.name} {level}: {what} ({len(here)}). Only the ridge penalty bounds its coefficient; join"
                " the level with another."
            )
