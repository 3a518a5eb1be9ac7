"""Covariates that would spoil an analysis: the outcome in disguise, and those that a model cannot use well."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from ccl.config import cohort_sections
from ccl.io.covariates import Clinical, Covariate
from ccl.io.errors import ConfigError, InputError
from ccl.pages.numbers import plural

OUTCOMES = re.compile(
    r"(\w+_)?(vital|survival|disease_free|neoplasm_cancer)_?(status|state)"
    r"|(tumou?r|cancer|event|recurrence|progression)_?(status|state)"
    r"|(os|dss|dfi|dfs|efs|mfs|pfi|pfs|rfs|ttp)(_?(\d|cr|time|event|status|months|days|years|censor\w*))*"
    r"|\w*(days|months|years|time)_to_\w*(death|last|follow|event|recur|progress|relapse)\w*"
    r"|\w*(follow_?up|last_contact|survival|censor|death|deceased|new_tumou?r|relapse|progression"
    r"|recurrence(?!_?(score|risk))|(therapy|treatment)_outcome)\w*"
    r"|dead|died|alive|status|event|outcome"
)
"""Columns that tell what became of the patient, in lower case with ``_`` between words.

They are those of TCGA (Liu et al., Cell 2018), GDC and cBioPortal.  ``recurrence_score`` is a test at diagnosis.
"""

LARGEST = 0.95
"""Largest plausible C-index, or area under the curve of death; only the outcome itself exceeds it."""

LEAST = 10
"""With fewer deaths (or survivors, for the curve), a rare level, for example, may exceed it by chance."""

EVENTS_PER_COLUMN = 10
"""Deaths per coefficient below which Cox models are unreliable (Peduzzi et al., J. Clin. Epidemiol. 1995)."""


def is_outcome(column: str) -> bool:
    """Tell whether a column is named like an outcome, however its words are written."""
    return bool(OUTCOMES.fullmatch(re.sub(r"[\W_]+", "_", column.lower()).strip("_")))


def check_names(clinical: cohort_sections.Clinical, outcome_columns: Collection[str]) -> None:
    """Raise ConfigError for covariates that are named like an outcome.

    Raises
    ------
    ConfigError
        A covariate or its column is named like an outcome, or is the cohort's own follow-up.
    """
    for name, entry in clinical.covariates.items():
        for column in (name, *entry.columns):
            if is_outcome(column) or column in outcome_columns:
                raise ConfigError(
                    "a covariate is the outcome in disguise",
                    where=f"config, clinical: covariates: {name}",
                    found=f"column {column}",
                    expected="what was known at diagnosis",
                    todo="take the covariate out, or rename the column if it was known at diagnosis",
                )


def check_association(clinical: Clinical, patients: pd.DataFrame) -> None:
    """Raise InputError for a covariate that predicts survival so well that it must be the outcome itself.

    Either it orders the patients by survival (C-index), or it separates the dead (area under the ROC curve).

    Raises
    ------
    InputError
        One of the two is above .95 or below .05 for a column of a covariate, with at least ten deaths.
    """
    for column, measure, value in _associations(clinical, patients):
        if max(value, 1 - value) > LARGEST:
            raise InputError(
                "a covariate is the outcome in disguise",
                where=f"config, clinical: covariates, {column}",
                found=f"{measure} of {value:.3f} of this covariate alone",
                expected=f"{1 - LARGEST:.2f} to {LARGEST:g}",
                todo="take the covariate out; only what was known at diagnosis may be one",
            )


def _associations(clinical: Clinical, patients: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    """Yield column, measure and its value for each column of the covariates, if enough patients died."""
    from lifelines.utils import concordance_index
    from sklearn.metrics import roc_auc_score

    known = patients[patients["patient_id"].isin(clinical.patients)]
    coded = clinical.coded(list(known["patient_id"]))
    for column, values in zip(clinical.columns, coded.T, strict=True):
        there = ~np.isnan(values)
        values, months, dead = values[there], known["months"][there], known["censorship"][there] == 0
        if dead.sum() >= LEAST and months[dead].min() < months.max():
            yield column, "a C-index", concordance_index(months, -values, dead)
        if min(dead.sum(), (~dead).sum()) >= LEAST:
            yield column, "an area under the curve of death", roc_auc_score(dead, values)


SIGNIFICANCE = 0.01
"""A covariate of a fold is reported if its test patients differ from the others with a p-value below this, divided by
the number of folds and of covariates."""


def imbalance(clinical: Clinical, folds: pd.DataFrame) -> list[str]:
    """Return a sentence for each covariate whose values in the test patients of a fold are unlike the others'.

    Numbers and levels in order are compared by the Mann-Whitney test, other levels by the chi-square test.

    Parameters
    ----------
    clinical : Clinical
        The covariates.
    folds : DataFrame
        ``fold``, ``patient_id``, ``role`` of the cohort stage.
    """
    found = []
    limit = SIGNIFICANCE / (folds["fold"].nunique() * len(clinical.covariates))
    for fold, rows in folds.groupby("fold"):
        role = rows.set_index("patient_id")["role"].reindex(clinical.table.index)
        for covariate in clinical.covariates:
            values = clinical.table[covariate.name]
            p = _difference(covariate, values[role == "test"], values[role == "train"])
            if p < limit:
                found.append(f"{covariate.name}: test patients of fold {fold} are unlike the others (p = {p:.1g}).")
    return found


def _difference(covariate: Covariate, test: pd.Series, train: pd.Series) -> float:
    """Return the p-value of a difference between two groups of patients; 1 if one of them has no values."""
    from scipy.stats import chi2_contingency, mannwhitneyu

    test, train = test.dropna(), train.dropna()
    if test.empty or train.empty:
        return 1.0
    if covariate.kind == "categorical":
        side = ["test"] * len(test) + ["train"] * len(train)
        counts = pd.crosstab(pd.concat([test, train]).to_numpy(), np.asarray(side))
        return float(chi2_contingency(counts).pvalue)
    order = {level: place for place, level in enumerate(covariate.levels)}
    ranks = [side.map(order) if order else side for side in (test, train)]
    return float(mannwhitneyu(*ranks).pvalue)


def warnings(clinical: Clinical, patients: pd.DataFrame) -> list[str]:
    """Return the warnings that readers of results with these covariates need."""
    return list(_warnings(clinical, patients))


def _warnings(clinical: Clinical, patients: pd.DataFrame) -> Iterator[str]:
    outcome = patients.set_index("patient_id")
    absent = sorted(set(outcome.index) - set(clinical.patients))
    if absent:
        yield (
            f"{len(absent)} of {len(outcome)} patients have no row in the clinical table, such as {absent[0]}. Models"
            " that read covariates leave them out."
        )
    known = outcome[outcome.index.isin(clinical.patients)]
    dead, columns = known["censorship"] == 0, len(clinical.columns)
    if dead.sum() < EVENTS_PER_COLUMN * columns:
        yield (
            f"{dead.sum()} deaths for {plural(columns, 'coefficient')}: fewer than {EVENTS_PER_COLUMN} for"
            " each, so the coefficients are uncertain. Use fewer covariates."
        )
    for covariate in clinical.covariates:
        values = clinical.table.loc[known.index, covariate.name]
        if (deaths := int((dead & values.notna()).sum())) < LEAST:
            yield (
                f"{covariate.name}: known of {deaths} patients who died, too few to check whether it is the outcome in"
                " disguise."
            )
        yield from _levels(covariate, values, dead)


def _levels(covariate: Covariate, values: pd.Series, dead: pd.Series) -> Iterator[str]:
    """Yield the levels without patients, and those of a categorical covariate that separate the dead from the alive.

    An ordinal covariate has only one coefficient, which a single level cannot make unbounded.
    """
    for level in covariate.levels:
        here = dead[values == level]
        if here.empty:
            yield f"{covariate.name} {level}: no patient. Take the level out, or join it with another."
        elif covariate.kind == "categorical" and here.nunique() == 1:
            what = "all died" if here.all() else "none died"
            yield (
                f"{covariate.name} {level}: {what} of {plural(len(here), 'patient')}. Only the ridge"
                " penalty bounds the coefficient; join the level with another."
            )
