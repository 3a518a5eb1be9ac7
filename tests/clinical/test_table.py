"""How the user's clinical table is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ccl.clinical.table import covariates_of, read_clinical, unnamed_values
from ccl.io.covariates import Clinical
from ccl.io.errors import ConfigError, InputError
from tests.clinical.conftest import section

Write = Callable[..., Path]


def coded(path: Path, covariates: dict[str, Any], **keys: Any) -> tuple[tuple[str, ...], list[list[float]]]:
    """Return the names of the numbers of covariates, and the numbers of all patients."""
    clinical = section(covariates, **keys)
    found = Clinical(read_clinical(path, clinical, patient_column="id"), covariates_of(clinical), {})
    return found.columns, found.coded(found.patients).tolist()


def test_a_number_stays_a_number(table: Write) -> None:
    columns, numbers = coded(table("id,age", "B,63.5", "A,40"), {"age": {"kind": "numeric"}})
    assert (columns, numbers) == (("age",), [[40.0], [63.5]])


def test_an_ordinal_level_is_its_rank_whichever_of_its_values_the_table_has(table: Write) -> None:
    levels = ["I", ["II", "IIA", "IIB"], ["III"]]
    columns, numbers = coded(
        table("id,stage", "A,III", "B,IIB", "C,I", "D,II", "E,"), {"stage": {"kind": "ordinal", "levels": levels}}
    )
    assert columns == ("stage",)
    np.testing.assert_array_equal(numbers, [[3], [2], [1], [2], [np.nan]])


def test_a_categorical_covariate_is_coded_against_its_first_level(table: Write) -> None:
    covariate = {"kind": "categorical", "levels": ["ductal", ["lobular", "mixed"], "other"]}
    columns, numbers = coded(table("id,type", "A,ductal", "B,mixed", "C,other", "D,NA"), {"type": covariate})
    assert columns == ("type: lobular", "type: other")
    np.testing.assert_array_equal(numbers, [[0, 0], [1, 0], [0, 1], [np.nan, np.nan]])


def test_an_indicator_tells_where_a_value_is_missing(table: Write) -> None:
    covariates = {"ki67": {"kind": "numeric", "indicator": True}, "er": {"kind": "categorical", "levels": ["-", "+"]}}
    columns, numbers = coded(table("id,ki67,er", "A,20,-", "B,[Not Available],+"), covariates)
    assert columns == ("ki67", "ki67: missing", "er: +")
    np.testing.assert_array_equal(numbers, [[20, 0, 0], [np.nan, 1, 1]])


def test_the_first_column_with_a_value_counts(table: Write) -> None:
    covariate = {"kind": "ordinal", "columns": ["path", "clin"], "levels": ["I", "II"], "missing": ["X"]}
    _, numbers = coded(table("id,path,clin", "A,II,I", "B,X,II", "C,,I", "D,X,"), {"stage": covariate})
    np.testing.assert_array_equal(numbers, [[2], [2], [1], [np.nan]])


@pytest.mark.parametrize("marker", ["", "NA", "[Not Available]", "[Unknown]", "'--", "None", "unknown"])
def test_a_missing_marker_is_no_level(table: Write, marker: str) -> None:
    covariate = {"kind": "categorical", "levels": ["no", "yes"], "missing": ["unknown"]}
    _, numbers = coded(table("id,smoker", "A,no", f"B,{marker}", "C,yes"), {"smoker": covariate})
    np.testing.assert_array_equal(numbers, [[0], [np.nan], [1]])


@pytest.mark.parametrize("marker", ["None", "NA", "[Unknown]", "unknown"])
def test_a_missing_marker_among_the_levels_is_a_level(tmp_path: Path, table: Write, marker: str) -> None:
    """A residual tumour of None is one that was removed, in the file of the stage too."""
    covariate = {"kind": "categorical", "levels": [marker, "left"], "missing": ["unknown"]}
    clinical = section({"residual": covariate})
    path = table("id,residual", f"A,{marker}", "B,left", "C,")
    values = read_clinical(path, clinical, patient_column="id")
    Clinical(values, covariates_of(clinical), {}).write(tmp_path / "out" / "clinical.csv")
    for read in (values, Clinical.read(tmp_path / "out" / "clinical.csv").table):
        assert read["residual"].tolist()[:2] == [marker, "left"]
        assert read["residual"].isna().tolist() == [False, False, True]


def test_whole_numbers_of_yaml_are_levels(table: Write) -> None:
    covariate = {"kind": "ordinal", "levels": [0, [1, 2], 3], "missing": [-9]}
    _, numbers = coded(table("id,ecog", "A,2", "B,0", "C,-9", "D,3"), {"ecog": covariate})
    np.testing.assert_array_equal(numbers, [[2], [1], [np.nan], [3]])


def test_a_patient_of_whom_nothing_is_known_is_kept(table: Write) -> None:
    covariates = {"age": {"kind": "numeric"}, "er": {"kind": "categorical", "levels": ["-", "+"]}}
    _, numbers = coded(table("id,age,er", "A,,", "B,50,+"), covariates)
    np.testing.assert_array_equal(numbers, [[np.nan, np.nan], [50, 1]])


def test_rows_of_a_patient_complete_each_other(table: Write) -> None:
    covariates = {"age": {"kind": "numeric"}, "grade": {"kind": "ordinal", "levels": ["G1", "G2"]}}
    _, numbers = coded(table("id,slide,age,grade", "A,1,63,", "A,2,63.0,G2", "B,1,,G1"), covariates)
    np.testing.assert_array_equal(numbers, [[63, 2], [np.nan, 1]])


def test_rows_of_a_patient_that_disagree_are_refused(table: Write) -> None:
    path = table("id,age", "A,63", "B,50", "A,64")
    with pytest.raises(InputError) as error:
        read_clinical(path, section({"age": {"kind": "numeric"}}), patient_column="id")
    said = str(error.value)
    assert f"{path}, row 4 (patient A), column age" in said
    assert "age 64.0, and 63.0 in a row above" in said


def test_all_values_that_the_config_does_not_name_are_listed_with_their_counts(table: Write) -> None:
    path = table("id,stage,sex", "A,I,male", "B,IX,m", "C,IX,female", "D,0,m", "E,IX,male")
    levels = {"kind": "ordinal", "levels": ["I", "II"]}
    clinical = section({"stage": levels, "sex": {"kind": "categorical", "levels": ["female", "male"]}})
    with pytest.raises(ConfigError) as error:
        read_clinical(path, clinical, patient_column="id")
    said = str(error.value)
    assert "stage: IX (3 rows), 0 (1 row); sex: m (2 rows)" in said
    assert "`levels`" in said
    assert "`missing`" in said
    assert unnamed_values(path, clinical, patient_column="id") == {"stage": {"IX": 3, "0": 1}, "sex": {"m": 2}}


def test_rows_of_other_cohorts_are_none_of_our_business(table: Write) -> None:
    path = table("id,type,age", "A,ductal,63", "B,glioma,1957")
    clinical = section({"type": {"kind": "categorical", "levels": ["ductal", "lobular"]}, "age": {"kind": "numeric"}})
    read = read_clinical(path, clinical, patient_column="id", patients={"A", "C"})
    assert read.to_dict("index") == {"A": {"type": "ductal", "age": 63.0}}
    assert not unnamed_values(path, clinical, patient_column="id", patients={"A"})


def test_a_table_without_any_patient_of_the_cohort_is_refused(table: Write) -> None:
    path = table("id,age", "A-01,63")
    with pytest.raises(InputError) as error:
        read_clinical(path, section({"age": {"kind": "numeric"}}), patient_column="id", patients={"A", "B"})
    assert "has no patient of the cohort" in str(error.value)
    assert "A-01" in str(error.value)
    assert "names such as A, B" in str(error.value)


@pytest.mark.parametrize("name", ["age", "Age", "patientAge", "AGE_AT_DX", "age.at.diagnosis", "Diagnosis Age"])
@pytest.mark.parametrize("value", ["1957", "23011", "1957-05-01", "-3", "63 years"])
def test_dates_days_and_years_of_birth_are_no_ages(table: Write, name: str, value: str) -> None:
    path = table(f"id,{name}", "A,63", f"B,{value}")
    with pytest.raises(InputError) as error:
        read_clinical(path, section({"a": {"kind": "numeric", "columns": [name]}}), patient_column="id")
    said = str(error.value)
    assert "an age is not in years" in said
    assert f"{path}, row 3 (patient B), column {name}" in said
    assert value in said
    assert "give the age in years" in said


@pytest.mark.parametrize("name", ["percentage", "dosage", "stage_score", "year_of_diagnosis"])
def test_other_numbers_may_be_large(table: Write, name: str) -> None:
    path = table(f"id,{name}", "A,1957")
    assert read_clinical(path, section({name: {"kind": "numeric"}}), patient_column="id").loc["A", name] == 1957


@pytest.mark.parametrize("value", ["high", "inf", "1,5", "3-4"])
def test_what_is_no_number_is_refused(table: Write, value: str) -> None:
    path = table("id,psa", f'A,"{value}"')
    with pytest.raises(InputError) as error:
        read_clinical(path, section({"psa": {"kind": "numeric"}}), patient_column="id")
    assert "a covariate is not a number" in str(error.value)
    assert "add the value to `missing` of psa" in str(error.value)


def test_a_column_that_is_not_there_is_named(table: Write) -> None:
    with pytest.raises(InputError, match="expected: stage") as error:
        read_clinical(
            table("id,age", "A,63"),
            section({"stage": {"kind": "ordinal", "levels": ["I", "II"]}}),
            patient_column="id",
        )
    assert "a column is missing" in str(error.value)


def test_a_row_without_a_patient_is_refused(table: Write) -> None:
    with pytest.raises(InputError, match="row 3"):
        read_clinical(table("id,age", "A,63", ",50"), section({"age": {"kind": "numeric"}}), patient_column="id")
