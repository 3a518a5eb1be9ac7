"""Models that read vectors, in the plan."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from ccl.io.errors import ConfigError
from tests.plan.conftest import job
from tests.plan.test_plan import COHORT, Make

MODELS: dict[str, Any] = {"models": {"cox-vectors-genomics": {}, "attmil": {}}}
TABLE = {"path": "til.csv", "patient_column": "barcode"}


@pytest.fixture
def cohort(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "til.csv").touch()
    (tmp_path / "titan").mkdir()
    for name in ("S0.h5", "P3.h5", "other.h5"):
        (tmp_path / "titan" / name).touch()
    return {**COHORT, "vectors": {"til": TABLE, "titan": {"path": "titan"}, "mean": {"mean_of": "uni"}}}


def test_a_model_of_vectors_runs_on_each_of_a_cohort(plan: Make, cohort: dict[str, Any]) -> None:
    made = plan(cohorts={"blca": cohort, "genes": {**COHORT, "slides": None}}, **MODELS)
    runs = [(run.encoder, run.model) for run in made.runs]
    assert runs == [(name, "cox-vectors-genomics") for name in ("til", "titan", "mean")] + [
        ("resnet50", "attmil"),
        ("uni", "attmil"),
    ]
    assert ("cox-vectors-genomics", "genes", "the cohort has no vectors") in made.blanks
    files = made.inputs.train(job(cohort="blca", encoder="til", model="cox-vectors-genomics"))
    assert files["vectors"] == "<results>/{cohort}/vectors/{encoder}/vectors.h5"


def test_the_stage_reads_what_its_vectors_are_made_of(plan: Make, cohort: dict[str, Any], tmp_path: Path) -> None:
    made = plan(cohorts={"blca": cohort}, vectors={"missing": "mean"}, **MODELS)

    def of(name: str) -> tuple[Any, list[str]]:
        wildcards = job(cohort="blca", encoder=name)
        return made.inputs.vectors(wildcards), shlex.split(made.options.vectors(wildcards))

    files, words = of("til")
    assert files == {"files": [str(tmp_path / "til.csv")], "manifests": []}
    assert words[:4] == ["--name", "til", "--path", str(tmp_path / "til.csv")]
    assert {"barcode", "--missing", "mean"} <= set(words)
    assert [Path(path).name for path in of("titan")[0]["files"]] == ["P3.h5", "S0.h5"]
    files, words = of("mean")
    assert files == {"files": [], "manifests": ["<results>/{cohort}/embed/uni/manifest.tsv"]}
    assert words[2:4] == ["--mean-of", "uni"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"vectors": {"til": {"path": "lost.csv"}}}, "vectors: til: path: there is no"),
        ({"vectors": {"til": {**TABLE, "mean_of": "uni"}}}, "either `path` or `mean_of`"),
        ({"vectors": {"mean": {"mean_of": "conch"}}}, "mean_of: found conch; expected resnet50, uni"),
        ({"vectors": {"titan": {"path": "titan"}}, "slides": None}, "vectors: titan: needs `slides`"),
    ],
)
def test_vectors_that_cannot_be_made_are_refused(
    plan: Make, cohort: dict[str, Any], change: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        plan(cohorts={"blca": {**cohort, **change}}, **MODELS)


def test_a_bundle_reads_the_new_cohorts_vectors_of_the_same_name(plan: Make, cohort: dict[str, Any]) -> None:
    new = {"predict_with": {"ours": {"cohort": "blca", "model": "cox-vectors", "encoder": "til"}}}
    models: dict[str, Any] = {"models": {"cox-vectors": {}}}
    made = plan(cohorts={"blca": cohort, "new": {**new, "vectors": {"til": TABLE}}}, **models)
    files = made.inputs.predict(job(cohort="new", bundle="ours"))
    assert files["vectors"] == "<results>/{cohort}/vectors/til/vectors.h5"
    assert made.options.preprocessing(job(cohort="blca", model="cox-vectors")) == '{"vectors": {}}'
    with pytest.raises(
        ConfigError, match=r"(?s)trained with another encoder.*other.*til.*name it in the cohort's `vec"
    ):
        plan(cohorts={"blca": cohort, "new": {**new, "vectors": {"other": TABLE}}}, **models)
    with pytest.raises(ConfigError, match="no vectors"):
        plan(cohorts={"blca": cohort, "new": new}, **models)
