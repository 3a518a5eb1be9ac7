"""Covariates through the graph: what they add to a finished run, and what a change of them runs again."""

from __future__ import annotations

import pandas as pd
import pytest

from ccl.io.files import read_json
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")

STAGES = ["Stage I", ["Stage II", "Stage IIA", "Stage IIB"], "Stage III", "Stage IV"]
CLINICAL = {
    "table": "tiny/clinical.csv",
    "covariates": {"age": {"kind": "numeric", "unit": "years"}, "stage": {"kind": "ordinal", "levels": STAGES}},
}


def test_covariates_join_a_finished_run(workspace: Workspace) -> None:
    workspace.set("cohorts.tiny.clinical", CLINICAL)
    assert workspace.planned() == {"clinical": 1, "added": 2, "report": 1}
    workspace.set("models.cox-clinical", {})
    workspace.set("models.both", {"method": "cox-genomics", "clinical": True})
    workspace.set("missing_modality", "blank")
    assert workspace.planned() == {"clinical": 1, "train": 4, "evaluate": 2, "added": 4, "report": 1}
    result = workspace.snakemake()
    assert result.returncode == 0, result.stdout[-6000:]
    results = workspace.folder / "results"
    run = read_json(results / "tiny" / "train" / "none" / "both" / "fold0" / "run.json")
    assert run["covariates"] == ["age", "stage"]
    assert set(pd.read_csv(results / "report" / "tables" / "c_index.csv")["model"]) == {
        "ccl", "snn", "cox-clinical", "both"
    }  # fmt: skip
    table = pd.read_csv(results / "report" / "tables" / "characteristics.tiny.csv")
    assert list(table.columns) == ["covariate", "value", "all", "dead", "alive", "fold0", "fold1"]
    assert "deaths for 2 coefficients" in (results / "report" / "report.html").read_text()
    assert workspace.planned() == {}
    again = {"clinical": 1, "train": 4, "evaluate": 2, "added": 4, "report": 1}
    workspace.set("cohorts.tiny.clinical.covariates.age.indicator", True)
    assert workspace.planned() == again
    workspace.set("cohorts.tiny.clinical.covariates.age.indicator", False)
    path = workspace.folder / "tiny" / "clinical.csv"
    path.write_text(path.read_text().replace("Stage IV", "Stage V"))
    assert workspace.planned() == again
    result = workspace.snakemake()
    assert result.returncode != 0
    assert "values that the config does not name" in result.stdout
    assert "stage: Stage V (1 row)" in result.stdout
