"""The explanation of models that read covariates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ccl.io.covariates import Clinical, Covariate
from ccl.io.errors import InputError
from tests.explain.conftest import PATIENTS, Planted


@dataclass(frozen=True)
class WithCovariates(Planted):
    """The same patients with a stage that tells death, and an age that is missing for one of them."""

    clinical: Path = Path()

    def inputs(self, method: str) -> dict[str, Any]:
        return {**super().inputs(method), "clinical": self.clinical}


def cohort(planted: Planted, folder: Path, *, stages: tuple[str, ...] = ("I", "II", "III", "IV")) -> WithCovariates:
    rank = pd.read_csv(planted.folder / "patients.csv").set_index("patient_id")["months"].rank(ascending=False)
    stage = [stages[int(4 * (rank[name] - 1) / len(PATIENTS))] for name in PATIENTS]
    age = np.linspace(40, 80, len(PATIENTS))
    age[rank.loc[list(PATIENTS)].argmax()] = np.nan  # of the patient who is explained first
    table = pd.DataFrame({"stage": stage, "age": age}, index=list(PATIENTS))
    covariates = (Covariate("stage", "ordinal", stages), Covariate("age", "numeric", unit="years"))
    folder.mkdir(parents=True, exist_ok=True)
    Clinical(table, covariates, {}).write(folder / "clinical.csv")
    return WithCovariates(planted.folder, planted.kinds, folder / "clinical.csv")


def test_the_risk_is_attributed_to_covariates_beside_genes_and_clusters(planted: Planted, tmp_path: Path) -> None:
    whole = cohort(planted, tmp_path)
    runs = whole.train("ccl", tmp_path / "runs")
    out = whole.explain("ccl", runs, tmp_path / "explained", count=2)
    folders = sorted(path for path in out.iterdir() if path.is_dir())
    assert len(folders) == 2
    for folder in folders:
        facts = json.loads((folder / "explanation.json").read_text())
        moved = pd.read_csv(folder / "attributions.csv")
        assert set(moved["kind"]) == {"gene", "cluster", "covariate"}
        assert set(moved[moved["component"] == "covariates"]["name"]) == {"stage", "age"}
        assert set(moved[moved["kind"] == "covariate"]["component"]) == {"covariates"}
        # All attributions add up to the difference of the risks.
        assert abs(facts["unexplained"]) < 0.01
        by_name = {each["name"]: each for each in facts["covariates"]}
        raised = by_name["stage"]["attribution"]
        assert raised > 0 if by_name["stage"]["value"] == "IV" else raised < 0
        page = (folder / "explanation.html").read_text()
        assert 'id="covariates"' in page
        assert "years" in page or "missing, taken as the training mean" in page


def test_other_covariates_than_those_of_the_training_are_refused(planted: Planted, tmp_path: Path) -> None:
    whole = cohort(planted, tmp_path)
    runs = whole.train("ccl", tmp_path / "runs")
    clinical = Clinical.read(whole.clinical)
    Clinical(clinical.table[["age"]], clinical.covariates[1:], {}).write(whole.clinical)
    with pytest.raises(InputError, match="covariates are not those that the run was trained on"):
        whole.explain("ccl", runs, tmp_path / "explained")
