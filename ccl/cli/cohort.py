"""The sub-commands that make tables: of patients, genes and clusters; no logic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ccl.cli.options import FILE, FOLDER, ON_BAD_SLIDE, PATH, THREADS
from ccl.config.options import settings_options
from ccl.config.sections import (
    ClusterSettings,
    CohortSettings,
    DemoSettings,
    GenomicsSettings,
)


@click.command("demo")
@click.argument("out", type=PATH)
@settings_options(DemoSettings)
def demo(out: Path, settings: DemoSettings) -> None:
    """Make the synthetic cohort in OUT."""
    from ccl.demo.make import make_demo

    make_demo(out, settings)


@click.command("init")
@click.option("--slides", type=FOLDER, required=True, help="folder of slides, in folders of their own or not")
@click.option("--patients", type=FILE, required=True, help="table of follow-up, a row per patient or slide")
@click.option("--wide", type=FILE, help="one table of GENE_rnaseq, GENE_cnv and GENE_mut")
@click.option("--rna", type=FILE, help="table of expression, a column per gene")
@click.option("--cnv", type=FILE, help="table of copy numbers, a column per gene")
@click.option("--snv", type=FILE, help="table of mutations, a column per gene")
@click.option("--gmt", type=FILE, help="GMT file of gene families, which omics need")
@click.option("--clinical", type=FILE, help="table of covariates such as age and stage, a row per patient")
@click.option("--out", type=PATH, required=True, help="config to write, such as config/mine.yaml")
def init(out: Path, **inputs: Any) -> None:
    """Write a first config and the sheet of slides for a cohort of your own."""
    from ccl.cohort.init import init_config

    click.echo(str(init_config(out, **inputs)))


@click.command("cohort")
@click.option("--name", required=True, help="name of the cohort")
@click.option("--patients", type=PATH, required=True, help="table of follow-up")
@click.option("--slides", type=PATH, help="sample sheet of slides")
@click.option("--folds", type=PATH, multiple=True, help="file of a fold, in order (repeat)")
@click.option("--out", type=PATH, required=True, help="folder of the results")
@settings_options(CohortSettings)
def cohort(name: str, out: Path, **inputs: Any) -> None:
    """Check patients, slides and folds."""
    from ccl.cohort.stage import make_cohort

    make_cohort(name, out, **inputs)


@click.command("clinical")
@click.option("--table", type=PATH, required=True, help="table of covariates")
@click.option("--patients", type=PATH, help="patients.csv of the cohort stage")
@click.option("--folds", type=PATH, help="folds.csv of the cohort stage")
@click.option("--patient-column", required=True, help="column that names the patient")
@click.option("--outcome-column", "outcome_columns", multiple=True, help="column of the follow-up (repeat)")
@click.option("--covariates", required=True, help="section `clinical` of the config, as JSON")
@click.option("--out", type=PATH, required=True, help="folder of the results")
def clinical(covariates: str, out: Path, **inputs: Any) -> None:
    """Read covariates such as age and stage."""
    from ccl.clinical.stage import read_covariates
    from ccl.config.check import strictly
    from ccl.config.sections import Clinical

    read_covariates(out, clinical=strictly(Clinical, json.loads(covariates)), **inputs)


@click.command("genomics")
@click.option("--wide", type=PATH, help="one table of GENE_rnaseq, GENE_cnv and GENE_mut")
@click.option("--rna", type=PATH, help="table of expression, a column per gene")
@click.option("--cnv", type=PATH, help="table of copy numbers, a column per gene")
@click.option("--snv", type=PATH, help="table of mutations, a column per gene")
@click.option("--gmt", type=PATH, required=True, help="GMT file of gene families")
@click.option("--out", type=PATH, required=True, help="file to write")
@settings_options(GenomicsSettings)
def genomics(out: Path, gmt: Path, settings: GenomicsSettings, **tables: Path | None) -> None:
    """Group omics by gene family."""
    from ccl.genomics.stage import group_genomics

    group_genomics(out, settings=settings, tables={kind: path for kind, path in tables.items() if path}, gmt=gmt)


@click.command("cluster")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--manifests", type=PATH, multiple=True, required=True, help="manifest of features (repeat)")
@click.option("--out", type=PATH, required=True, help="file to write")
@ON_BAD_SLIDE
@THREADS
@click.option("--overwrite", is_flag=True, help="cluster every patient again, finished or not")
@settings_options(ClusterSettings)
def cluster(manifests: tuple[Path, ...], **inputs: Any) -> None:
    """Cluster the patches of each patient."""
    from ccl.cluster.stage import cluster_cohort

    cluster_cohort(manifests=list(manifests), **inputs)


COMMANDS = (demo, init, cohort, clinical, genomics, cluster)
