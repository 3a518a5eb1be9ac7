"""The sub-commands after training: evaluation, tables, figures and explanations; no logic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ccl.cli.options import PATH, THREADS
from ccl.config.options import settings_options
from ccl.config.sections import EvaluateSettings, ExplainSettings, ReportSettings
from ccl.paper.figures import FIGURES


@click.command("evaluate")
@click.argument("runs", type=PATH, nargs=-1)
@click.option("--predictions", type=PATH, help="table of predictions from elsewhere, instead of RUNS")
@click.option("--out", type=PATH, required=True, help="folder of the evaluation")
@settings_options(EvaluateSettings)
def evaluate(runs: tuple[Path, ...], predictions: Path | None, out: Path, settings: EvaluateSettings) -> None:
    """Evaluate the folds (RUNS) of a method, or a table of predictions."""
    from ccl.evaluate.stage import evaluate_predictions, evaluate_runs

    if bool(runs) == bool(predictions):
        raise click.UsageError("name either RUNS or --predictions")
    if predictions:
        evaluate_predictions(predictions=predictions, out=out, months=settings.months)
    else:
        evaluate_runs(runs=runs, out=out, months=settings.months)


@click.command("added")
@click.argument("evaluation", type=PATH)
@click.option("--clinical", type=PATH, required=True, help="clinical.csv of the clinical stage")
@click.option("--out", type=PATH, required=True, help="folder of the results")
@settings_options(EvaluateSettings)
def added(settings: EvaluateSettings, **inputs: Any) -> None:
    """Judge what a model adds to covariates, by the folder of its EVALUATION."""
    from ccl.added.stage import judge_added

    judge_added(months=settings.months, **inputs)


@click.command("compare")
@click.argument("evaluations", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="table to write")
@click.option("--protocol", default="last", show_default=True, help="protocol of the risks to compare")
@click.option("--clinical", type=PATH, help="clinical.csv, to compare each model with covariates too")
def compare(clinical: Path | None, out: Path, **options: Any) -> None:
    """Compare models evaluated on the same patients, by the folders of their EVALUATIONS.

    With --clinical, a second table beside OUT, whose name ends in .added, tells what each model adds to covariates.
    """
    from ccl.evaluate.compare import compare_evaluations

    lines = compare_evaluations(out=out, **options)
    if clinical:
        from ccl.added.compare import compare_with_covariates

        beside = out.with_suffix(f".added{out.suffix}")
        lines += compare_with_covariates(clinical=clinical, out=beside, **options)
    click.echo("\n".join(lines))


@click.command("report")
@click.argument("evaluations", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="folder of the report")
@click.option("--config", default="{}", help="the workflow's config as JSON, shown in the report")
@click.option("--explained", type=PATH, multiple=True, help="folder of `ccl explain` with patients to show (repeat)")
@click.option("--components", type=PATH, multiple=True, help="components.json of an evaluation (repeat)")
@click.option("--added", type=PATH, multiple=True, help="added.json of an evaluation (repeat)")
@click.option("--characteristics", type=PATH, multiple=True, help="characteristics.csv of a cohort (repeat)")
@click.option("--validations", type=PATH, multiple=True, help="evaluation.json of a validated bundle (repeat)")
@settings_options(ReportSettings)
def report(evaluations: tuple[Path, ...], config: str, **options: Any) -> None:
    """Write the report on EVALUATIONS."""
    from ccl.report.stage import write_report

    write_report(evaluations=evaluations, config=json.loads(config), **options)


@click.command("ablations")
@click.argument("evaluations", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="folder of the tables")
@click.option("--table", type=click.IntRange(4, 8), help="the one table to write; without it, the page with all five")
@click.option("--base", default='{"k": 6}', show_default=True, help="the default model's entry in the config, as JSON")
@click.option("--without", multiple=True, help="cohort that CCL cannot be trained on, for the page to name (repeat)")
def ablations(base: str, **options: Any) -> None:
    """Write one of Tables IV to VIII of the paper from EVALUATIONS, or the page with all of them."""
    from ccl.paper.stage import write_ablations

    write_ablations(base=json.loads(base), **options)


@click.command("table1")
@click.argument("evaluations", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="folder of the tables")
@click.option("--blanks", default="[]", help="pairs without an evaluation, as JSON: [[model, cohort, reason], ...]")
def table1(evaluations: tuple[Path, ...], out: Path, blanks: str) -> None:
    """Compare all models: Tables I to III of the paper."""
    from ccl.paper.stage import write_table1

    reasons = {(model, cohort): reason for model, cohort, reason in json.loads(blanks)}
    write_table1(out=out, evaluations=evaluations, blanks=reasons)


@click.command("explain")
@click.argument("runs", type=PATH, nargs=-1, required=True)
@click.option("--outcomes", type=PATH, required=True, help="patients.csv of the cohort stage")
@click.option("--genomics", type=PATH, help="file of the genomics stage")
@click.option("--clusters", type=PATH, help="file of the cluster stage")
@click.option("--clinical", type=PATH, help="file of the clinical stage")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--manifests", type=PATH, multiple=True, required=True, help="manifest of features (repeat)")
@click.option("--out", type=PATH, required=True, help="folder of the patients' folders")
@THREADS
@settings_options(ExplainSettings)
def explain(runs: tuple[Path, ...], **options: Any) -> None:
    """Explain the predictions of a model (folds RUNS) for single patients."""
    from ccl.explain.stage import explain_patients

    explain_patients(runs=runs, **options)


@click.command("components")
@click.argument("runs", type=PATH, nargs=-1, required=True)
@click.option("--genomics", type=PATH, help="file of the genomics stage")
@click.option("--clusters", type=PATH, help="file of the cluster stage")
@click.option("--clinical", type=PATH, help="file of the clinical stage")
@click.option("--out", type=PATH, required=True, help="folder of the tables")
def components(**options: Any) -> None:
    """Compute positions and statistics of a model's knowledge components (folds RUNS): Figure 8 of the paper."""
    from ccl.components.stage import find_components

    find_components(**options)


@click.command("figures")
@click.option("--figure", type=click.Choice(FIGURES), required=True, help="number of the figure in the paper")
@click.argument("sources", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="folder of the figures")
def figures(**options: Any) -> None:
    """Draw Figure 6 or 7 of the paper from evaluation.json files, or Figure 8 from components.json files (SOURCES)."""
    from ccl.paper.stage import draw_figures

    draw_figures(**options)


COMMANDS = (evaluate, added, compare, report, ablations, table1, explain, components, figures)
