"""Predictions of other tools beside covariates: ``ccl compare --clinical``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ccl.added.arms import predict_arms
from ccl.added.resample import concordances, differences
from ccl.cli import cli


def run(*words):
    result = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def compared(draw, tmp_path):
    """Compare a table that knows the hidden factor with one of noise, and return lines and table."""

    def compare(drawn, columns):
        folders = []
        for name, risk in {"theirs": drawn.hidden, "noise": np.random.default_rng(0).normal(size=200)}.items():
            drawn.outcome.assign(risk=risk)[columns].to_csv(tmp_path / f"{name}.csv", index=False)
            run("evaluate", "--predictions", tmp_path / f"{name}.csv", "--out", tmp_path / name, "--months", 24)
            folders.append(tmp_path / name)
        drawn.clinical.write(tmp_path / "clinical.csv")
        said = run("compare", *folders, "--out", tmp_path / "table.csv", "--clinical", tmp_path / "clinical.csv")
        return said.splitlines(), pd.read_csv(tmp_path / "table.added.csv")

    return compare


def test_each_table_has_the_numbers_of_the_stage(draw, compared):
    drawn = draw(0)
    drawn.clinical.table.drop(index="P0005", inplace=True)
    lines, table = compared(drawn, ["patient_id", "fold", "months", "censorship", "risk"])
    patients = drawn.patients(drawn.hidden)
    found = differences(concordances([(patients, predict_arms(patients))]))
    row = table.iloc[0]
    assert row["n_patients"] == 199
    assert row["both_difference"] == pytest.approx(found["both"]["difference"])
    assert (row["both_lower"], row["model_upper"]) == pytest.approx((found["both"]["lower"], found["model"]["upper"]))
    assert row["likelihood_ratio_p"] < 0.01
    assert lines[-2].endswith(": a gain.")
    assert lines[-1].endswith(": no clear difference.")


def test_predictions_without_folds_say_why_there_are_no_numbers(draw, compared):
    lines, table = compared(draw(0), ["patient_id", "months", "censorship", "risk"])
    assert "one fold" in lines[-1]
    assert table["reason"].str.contains("one fold").all()
    assert table["both_difference"].isna().all()
