"""A cohort from a public download through the graph, to an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ccl.io.files import read_json
from tests.source.layouts import GMT, Truth, cbioportal, gdc, xena
from tests.workflow.workspace import Workspace

LOG = {"transform": "log2(x + 1)"}


@pytest.fixture
def downloads(tmp_path: Path) -> Workspace:
    """The same patients in each layout, and a Cox model of genes and age."""
    truth = Truth(n=30)
    work = Workspace(tmp_path / "work space")
    work.folder.mkdir()
    (work.folder / "families.gmt").write_text(GMT)
    for layout in (cbioportal, gdc, xena):
        layout(work.folder / layout.__name__, truth)
    cohort: dict[str, Any] = {"endpoint": "OS", "gmt": "families.gmt", "synthetic": True}
    age = {"covariates": {"age": {"kind": "numeric", "columns": ["AGE"]}}}
    work.config = {
        "cohorts": {
            "portal": {
                **cohort,
                "from": {"cbioportal": "cbioportal", "rna": LOG, "cnv": {}, "snv": {}},
                "clinical": age,
            },
            "gdc": {**cohort, "from": {"gdc": "gdc", "rna": LOG, "cnv": {"transform": "x - 2"}, "snv": {}}},
            "xena": {**cohort, "from": {"xena": "xena", "genes": "xena/probemap.tsv"}},
        },
        "cohort": {"n_folds": 2},
        "missing_modality": "blank",
        "models": {"cox-clinical-genomics": {}, "cox-genomics": {}},
        "train": {"intervals": 2},
    }
    return work


def test_a_download_runs_to_an_evaluation(downloads: Workspace) -> None:
    results = downloads.folder / "results"
    target = "results/portal/evaluate/none/cox-clinical-genomics/evaluation.json"
    one = {"source": 1, "cohort": 1, "genomics": 1, "train": 2, "evaluate": 1}
    assert downloads.planned(target) == {**one, "clinical": 1}
    result = downloads.snakemake(target)
    assert result.returncode == 0, result.stdout[-6000:]
    evaluation = read_json(downloads.folder / target)
    assert evaluation["n_patients"] == 30
    assert evaluation["protocols"]["last"]["mean"] is not None
    assert read_json(results / "portal" / "source" / "summary.json")["complete"] == 30
    others = [f"results/{name}/evaluate/none/cox-genomics/evaluation.json" for name in ("gdc", "xena")]
    assert downloads.planned(target, *others) == {stage: 2 * count for stage, count in one.items()}
    downloads.set("cohorts.portal.from.rna", {"transform": "none"})
    assert downloads.planned(target) == {**one, "clinical": 1}


def test_a_broken_download_stops_before_anything_runs(downloads: Workspace) -> None:
    (downloads.folder / "cbioportal" / "data_mrna.txt").unlink()
    result = downloads.snakemake("--dry-run")
    assert result.returncode != 0
    assert "a meta file names no file that is there" in result.stdout
    assert "meta_mrna.txt, data_filename" in result.stdout
    assert "Traceback" not in result.stdout
