"""Sub-groups of patients: the C-index of the model in each, and tests of whether its hazard ratio differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.added.association import RISK, Design, covariate_columns, likelihood_ratio
from ccl.added.patients import Patients
from ccl.evaluate.bootstrap import pooled_interval
from ccl.evaluate.concordance import concordance_index
from ccl.io.covariates import Covariate

LEAST_DEATHS = 10
"""A group with fewer deaths is listed without numbers."""

GROUPS = ["covariate", "group", "n_patients", "n_events", "c_index", "lower", "upper", "reason"]
TESTS = ["covariate", "groups", "statistic", "df", "p", "reason"]


@dataclass(frozen=True)
class Group:
    """Some patients of a cohort."""

    name: str
    members: NDArray[np.bool_]


def judge_groups(patients: Patients) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the C-index of the model in each group, and the interaction test of each covariate.

    A group is a level of a covariate, or the patients up to or above the median of a numeric one.  Patients without a
    value are in no group.  Risks are standardised within folds, so that patients of different folds can be compared.
    """
    rows, tests = [], []
    for covariate in patients.clinical.covariates:
        groups = list(groups_of(patients, covariate))
        found = [{"covariate": covariate.name, **_judge(patients, group)} for group in groups]
        enough = [group for group, row in zip(groups, found, strict=True) if row["n_events"] >= LEAST_DEATHS]
        rows += found
        tests.append({"covariate": covariate.name, "groups": len(enough), **_interaction(patients, enough)})
    return pd.DataFrame(rows, columns=GROUPS), pd.DataFrame(tests, columns=TESTS)


def groups_of(patients: Patients, covariate: Covariate) -> Iterator[Group]:
    """Yield the groups of a covariate."""
    values = patients.clinical.table.loc[patients.table["patient_id"], covariate.name].reset_index(drop=True)
    if covariate.levels:
        for level in covariate.levels:
            yield Group(level, values.eq(level).to_numpy())
        return
    if values.isna().all():
        return
    median = float(values.median())
    unit = f" {covariate.unit}" if covariate.unit else ""
    yield Group(f"up to {median:g}{unit}", values.le(median).to_numpy())
    yield Group(f"above {median:g}{unit}", values.gt(median).to_numpy())


def _judge(patients: Patients, group: Group) -> dict[str, Any]:
    members = patients.table[group.members].assign(risk=patients.standardised[group.members])
    deaths = int((members["censorship"] == 0).sum())
    row: dict[str, Any] = {"group": group.name, "n_patients": len(members), "n_events": deaths}
    if deaths < LEAST_DEATHS:
        return {**row, "reason": f"fewer than {LEAST_DEATHS} deaths"}
    c_index = concordance_index(members["months"], members["censorship"], members["risk"])
    interval = pooled_interval(members)
    return {**row, "c_index": c_index, "lower": interval["lower"], "upper": interval["upper"]}


def _interaction(patients: Patients, groups: list[Group]) -> dict[str, Any]:
    """Return the test of whether the hazard ratio of the risk differs between groups."""
    if len(groups) < 2:
        return {"reason": f"fewer than two groups with {LEAST_DEATHS} deaths"}
    inside = np.any([group.members for group in groups], axis=0)
    part = Patients(patients.clinical, patients.table[inside].reset_index(drop=True))
    risk = patients.standardised[inside]
    marks = {group.name: group.members[inside].astype(np.float64) for group in groups[1:]}
    columns = covariate_columns(part).assign(**{f"is {name}": mark for name, mark in marks.items()}, **{RISK: risk})
    products = {f"{RISK} x {name}": risk * mark for name, mark in marks.items()}
    return likelihood_ratio(Design.of(part, columns), Design.of(part, columns.assign(**products)))
