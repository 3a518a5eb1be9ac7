"""The file of the clinical stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccl.io.checksums import checksum_file
from ccl.io.covariates import CODING, Clinical, Covariate
from ccl.io.errors import InputError

COVARIATES = (
    Covariate("age", "numeric", unit="years"),
    Covariate("stage", "ordinal", ("01", "NA", "3, late")),
    Covariate("sex", "categorical", ("female", "male"), indicator=True),
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    table = pd.DataFrame(
        {
            "age": [63.5, np.nan, 1 / 3],
            "stage": ["NA", "01", np.nan],
            "sex": [np.nan, "male", "female"],
        },
        index=["001", "NA-2", "P3"],
    )
    Clinical(table, COVARIATES, {"inputs": {}, "warnings": ["few deaths"]}).write(tmp_path / "clinical.csv")
    return tmp_path / "clinical.csv"


def test_covariates_are_read_as_they_were_written(written: Path) -> None:
    read = Clinical.read(written)
    assert read.covariates == COVARIATES
    assert read.facts == {"inputs": {}, "warnings": ["few deaths"]}
    assert read.patients == ["001", "NA-2", "P3"]
    assert read.columns == ("age", "stage", "sex: male", "sex: missing")
    numbers = read.coded(["P3", "001", "NA-2"])
    expected = [[1 / 3, np.nan, 0, 0], [63.5, 2, np.nan, 1], [np.nan, 1, 1, 0]]
    np.testing.assert_allclose(numbers, expected, rtol=1e-8)


@pytest.mark.parametrize(("old", "new"), [("male", "males"), ("63.5", "old")])
def test_a_file_that_does_not_fit_its_coding_is_refused(written: Path, old: str, new: str) -> None:
    checksum_file(written).unlink()
    written.write_text(written.read_text().replace(f",{old}", f",{new}"))
    with pytest.raises(InputError, match=f"found: +{new}") as error:
        Clinical.read(written)
    assert str(written) in str(error.value)


def test_a_missing_coding_is_named(written: Path) -> None:
    (written.parent / CODING).unlink()
    with pytest.raises(InputError, match=CODING):
        Clinical.read(written)
