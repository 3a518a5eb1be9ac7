"""Covariates that would spoil an analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ccl.clinical.checks import check_association, check_names, warnings
from ccl.io.covariates import Clinical, Covariate
from ccl.io.errors import ConfigError, InputError
from tests.clinical.conftest import section

AGE = Covariate("age", "numeric")
SEX = Covariate("sex", "categorical", ("female", "male"))
STAGE = Covariate("stage", "ordinal", ("I", "II", "III"))


def cohort(count: int = 60, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return the follow-up of patients P000, P001, ..., half of whom died, and who did."""
    rng = np.random.default_rng(seed)
    dead = np.arange(count) % 2 == 0
    names = [f"P{number:03d}" for number in range(count)]
    months = rng.exponential(30, count).round(2) + 0.1
    return pd.DataFrame({"patient_id": names, "months": months, "censorship": 1 - dead.astype(int)}), dead


def clinical(patients: pd.DataFrame, values: dict[Covariate, Any]) -> Clinical:
    """Return covariates of all patients."""
    table = pd.DataFrame({covariate.name: given for covariate, given in values.items()})
    return Clinical(table.set_index(pd.Index(patients["patient_id"])), tuple(values), {})


@pytest.mark.parametrize(
    "column",
    [
        "vital_status", "Vital Status", "vitalStatus", "tumor_status", "person_neoplasm_cancer_status", "cancer_status",
        "days_to_death", "death_days_to", "days_to_last_followup", "days_to_last_follow_up", "last_contact_days_to",
        "days_to_last_known_alive", "days_to_new_tumor_event_after_initial_treatment", "cause_of_death",
        "new_tumor_event_type", "new_tumor_event_dx_days_to", "OS", "OS.time", "OS_MONTHS", "OS_STATUS", "DSS",
        "DSS.time.cr", "DSS_cr", "DFI", "DFI.time", "PFI", "PFI.1", "PFI.time.2", "PFS_MONTHS", "DFS_STATUS",
        "Overall Survival (Months)", "Overall Survival Status", "survival_months", "Disease Free Status", "censored",
        "months_to_recurrence", "progression", "relapse", "treatment_outcome_first_course", "dead", "event", "status",
    ],
)  # fmt: skip
def test_a_column_named_like_an_outcome_is_refused(column: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_names(section({"factor": {"kind": "numeric", "columns": [column]}}), ("months", "censorship"))
    assert "the outcome in disguise" in str(error.value)
    assert "clinical: covariates: factor" in str(error.value)
    assert column in str(error.value)


@pytest.mark.parametrize(
    "column",
    [
        "menopause_status", "er_status", "breast_carcinoma_progesterone_receptor_status", "her2_status", "race",
        "residual_tumor", "smoking_status", "tobacco_smoking_history", "age_at_initial_pathologic_diagnosis", "gender",
        "ajcc_pathologic_tumor_stage", "clinical_stage", "histological_grade", "histological_type", "tumor_size",
        "idh_status", "mgmt_promoter_methylation_status", "msi_status", "hpv_status", "ecog_performance_status",
        "lymph_node_status", "margin_status", "days_to_birth", "year_of_diagnosis", "oncotype_recurrence_score",
        "estrogen", "position", "os_calcis", "prior_malignancy", "radiation_therapy", "ki67", "bmi", "karnofsky_score",
    ],
)  # fmt: skip
def test_a_harmless_column_is_not(column: str) -> None:
    check_names(section({"factor": {"kind": "numeric", "columns": [column]}}), ("months", "censorship"))


def test_the_cohorts_own_follow_up_is_no_covariate() -> None:
    with pytest.raises(ConfigError, match="column fu"):
        check_names(section({"fu": {"kind": "numeric"}}), ("fu", "dead_at_end"))


def test_a_covariate_that_orders_patients_by_survival_is_refused() -> None:
    patients, _ = cohort()
    leak = patients["months"].to_numpy() + np.random.default_rng(1).normal(0, 0.5, len(patients))
    for values in (leak, -leak):
        with pytest.raises(InputError, match="outcome in disguise") as error:
            check_association(clinical(patients, {AGE: 50.0, Covariate("visits", "numeric"): values}), patients)
        assert "clinical: covariates, visits" in str(error.value)
        assert "a C-index of" in str(error.value)


def test_a_covariate_that_tells_who_died_is_refused_whatever_its_name() -> None:
    """A C-index is not that high, as the order among those who died is not told."""
    patients, dead = cohort()
    with pytest.raises(InputError, match=r"the curve of death of 1\.000"):
        check_association(clinical(patients, {SEX: np.where(dead, "male", "female")}), patients)


def test_a_covariate_missing_where_the_patient_lived_is_refused() -> None:
    patients, dead = cohort()
    covariate = Covariate("biopsy", "numeric", indicator=True)
    with pytest.raises(InputError, match="biopsy: missing"):
        check_association(clinical(patients, {covariate: np.where(dead, 1.0, np.nan)}), patients)


def test_a_strong_covariate_is_none() -> None:
    patients, dead = cohort()
    rng = np.random.default_rng(2)
    strong = -np.log(patients["months"].to_numpy()) + 2 * dead + rng.normal(0, 1.2, len(patients))
    check_association(clinical(patients, {AGE: strong}), patients)


@pytest.mark.parametrize("deaths", [1, 2, 3])
def test_a_rare_level_of_a_few_early_deaths_is_no_leak(deaths: int) -> None:
    """The C-index of the level is above .95, but so few deaths say nothing; the reader is told."""
    patients, _ = cohort(40)
    patients = patients.sort_values("months").reset_index(drop=True)
    patients["censorship"] = (np.arange(40) >= deaths).astype(int)
    found = clinical(patients, {SEX: np.where(np.arange(40) < deaths, "male", "female")})
    check_association(found, patients)
    said = warnings(found, patients)
    assert f"sex: known of {deaths} patients who died, too few to check" in " ".join(said)


def test_too_few_deaths_for_the_coefficients_are_told_with_their_number() -> None:
    patients, _ = cohort(40)
    rng = np.random.default_rng(3)
    one = clinical(patients, {AGE: rng.normal(size=40), SEX: rng.choice(["female", "male"], 40)})
    assert warnings(one, patients) == []
    more = clinical(patients, {AGE: 1.0 * np.arange(40), STAGE: rng.choice(["I", "II", "III"], 40), SEX: "male"})
    assert warnings(more, patients)[0] == (
        "20 deaths for 3 coefficients: fewer than 10 for each, so the coefficients are uncertain. Use fewer covariates."
    )


def test_a_level_that_separates_the_dead_is_told() -> None:
    patients, dead = cohort()
    values = np.where(np.random.default_rng(4).random(60) < 0.5, "female", "male").astype(object)
    values[np.flatnonzero(dead)[:3]] = "other"
    sex = Covariate("sex", "categorical", ("female", "male", "other", "unclear"))
    said = warnings(clinical(patients, {sex: values}), patients)
    assert said == [
        "sex other: all died of 3 patients. Only the ridge penalty bounds the coefficient; join the level with"
        " another.",
        "sex unclear: no patient. Take the level out, or join it with another.",
    ]


def test_one_level_of_an_ordinal_covariate_separates_nothing() -> None:
    patients, dead = cohort()
    values = np.random.default_rng(5).choice(["II", "III"], 60).astype(object)
    values[np.flatnonzero(~dead)[:2]] = "I"
    assert warnings(clinical(patients, {STAGE: values}), patients) == []


def test_patients_without_a_row_are_told() -> None:
    patients, _ = cohort()
    found = clinical(patients, {AGE: 1.0 * np.arange(60)})
    found.table.drop(index=["P003", "P009"], inplace=True)
    assert "2 of 60 patients have no row in the clinical table, such as P003." in warnings(found, patients)[0]
