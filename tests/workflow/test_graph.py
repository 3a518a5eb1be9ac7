"""The graph as a user meets it: from tables and slides to the report, and what it refuses."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from ccl.io.formats import Clusters, Features
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")


def test_every_run_ends_in_the_report(finished: Workspace) -> None:
    results = finished.folder / "results"
    assert (results / "report" / "report.html").stat().st_size > 10_000
    table = pd.read_csv(results / "report" / "tables" / "c_index.csv")
    assert {"ccl", "snn"} <= set(table.astype(str).to_numpy().ravel())


def test_a_cohort_whose_slides_are_read_has_a_contact_sheet(finished: Workspace) -> None:
    folder = finished.folder / "results" / "tiny" / "quality"
    assert len(pd.read_csv(folder / "slides.csv")) == len(pd.read_csv(finished.folder / "tiny" / "slides.csv"))
    assert "Synthetic data" in (folder / "contact_sheet.html").read_text()
    assert not (finished.folder / "results" / "bags" / "quality").exists()


def test_slides_are_looked_at_without_being_embedded(workspace: Workspace) -> None:
    workspace.snakemake("look")
    folder = workspace.folder / "results" / "tiny"
    page = (folder / "look" / "contact_sheet.html").read_text()
    assert "Nothing is embedded yet" in page
    assert "Nothing is embedded yet" not in (folder / "quality" / "contact_sheet.html").read_text()
    assert workspace.planned() == {}


def test_random_weights_and_synthetic_data_are_labelled_everywhere(finished: Workspace) -> None:
    results = finished.folder / "results"
    slide = min((results / "tiny" / "embed" / "resnet50").glob("*.h5"))
    assert Features.read(slide).weights == "random"
    assert Clusters.read(results / "tiny" / "cluster" / "resnet50" / "k3.h5").weights == "random"
    evaluation = json.loads((results / "tiny" / "evaluate" / "resnet50" / "ccl" / "evaluation.json").read_text())
    assert (evaluation["weights"], evaluation["synthetic"]) == ("random", True)
    html = (results / "report" / "report.html").read_text().lower()
    assert "synthetic" in html
    assert "random" in html


def test_each_job_has_a_log_and_a_benchmark(finished: Workspace) -> None:
    results = finished.folder / "results"
    logs = {path.relative_to(results / "logs").with_suffix("") for path in (results / "logs").rglob("*.log")}
    benchmarks = {
        path.relative_to(results / "benchmarks").with_suffix("") for path in (results / "benchmarks").rglob("*.tsv")
    }
    assert logs == benchmarks
    assert len(logs) == 2 + 3 * 2 + 1 + 1 + 1 + 2 + 2 + 8 + 4 + 2 + 2 + 1


def test_a_wrong_config_is_refused_before_anything_runs(workspace: Workspace) -> None:
    workspace.set("train.lrr", 0.1)
    workspace.set("modles", {})
    result = workspace.snakemake("--dry-run")
    assert result.returncode != 0
    assert "modles: there is no such key; do you mean `models`?" in result.stdout
    assert "train: lrr: there is no such key; do you mean `lr`?" in result.stdout
    assert "Traceback" not in result.stdout
    said = result.stdout[result.stdout.index("WorkflowError") :]
    assert len(said.strip().splitlines()) <= 10


def test_a_bad_slide_costs_the_others_nothing(workspace: Workspace) -> None:
    sheet = pd.read_csv(workspace.folder / "tiny" / "slides.csv")
    bad = workspace.folder / "tiny" / sheet["path"].iloc[0]
    bad.write_bytes(b"not a slide")
    result = workspace.snakemake("--until", "gather")
    assert result.returncode != 0
    assert f"{sheet['slide_id'].iloc[0]}: tissue: not a slide that OpenSlide can read" in result.stdout
    workspace.set("on_bad_slide", "exclude")
    result = workspace.snakemake()
    assert result.returncode == 0, result.stdout[-4000:]
    assert sheet["slide_id"].iloc[0] in (workspace.folder / "results" / "report" / "report.html").read_text()


def test_snakemake_s_own_report_needs_no_network(finished: Workspace) -> None:
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "HTTP", "HTTPS")}
    target = finished.folder / "snakemake.html"
    result = finished.snakemake("--report", str(target), env=nowhere)
    assert result.returncode == 0, result.stdout[-3000:]
    assert target.stat().st_size > 100_000
    assert "explanation.html" in target.read_text()  # of each patient explained
