"""The sub-commands that make tables of patients, genes and clusters; no logic."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from ccl.cli.options import FILE, FOUND, ON_BAD_SLIDE, PATH, THREADS
from ccl.config.cohort_sections import CohortSettings, Omics
from ccl.config.keys import keys_of
from ccl.config.options import settings_options
from ccl.config.sections import ClusterSettings, DemoSettings, GenomicsSettings, VectorsSettings
from ccl.io.sheets import Frozen


def omics_options(path: click.Path) -> Callable[[Any], Any]:
    """Give a command an option for each omics table that a cohort may have."""

    def decorate(command: Any) -> Any:
        for name, info in reversed(list(keys_of(Omics).items())):
            command = click.option(f"--{name}", type=path, help=info.description)(command)
        return command

    return decorate


@click.command("demo")
@click.argument("out", type=PATH, required=False)
@click.option("--check", is_flag=True, help="compare the results of `make demo` (OUT, or results/demo) with ours")
@settings_options(DemoSettings)
def demo(out: Path | None, check: bool, settings: DemoSettings) -> None:
    """Make the synthetic cohort in OUT; or check that this installation computes what ours does."""
    if check:
        from ccl.results.golden import check_demo

        same, lines = check_demo(out or Path("results/demo"))
        click.echo("\n".join(lines))
        sys.exit(not same)
    if out is None:
        raise click.UsageError("name the folder OUT to make")
    from ccl.demo.make import make_demo

    make_demo(out, settings)


def source_options(command: Any) -> Any:
    """Give a command the options that say how slides are chosen and their patients found."""
    for option in (
        click.option("--sample-sheet", type=FILE, help="GDC sample sheet of the manifest, which names the patients"),
        click.option("--pattern", help="regular expression that finds the patient in a slide's or its folder's name"),
        click.option(
            "--frozen",
            type=click.Choice(get_args(Frozen)),
            help="frozen sections of TCGA: drop all, keep them for patients without a diagnostic slide (fallback), or "
            "keep all; without it they are left out, unless a patient has no other slide",
        ),
    ):
        command = option(command)
    return command


@click.command("slides")
@click.argument("source", type=FOUND)
@click.option("--patients", type=FILE, help="table of patients; slides of others are left out")
@source_options
@click.option("--out", type=PATH, required=True, help="slide sheet to write, such as data/slides.csv")
def slides(source: Path, patients: Path | None, out: Path, **rules: Any) -> None:
    """Write the slide sheet of a cohort from SOURCE, a folder of slides or a GDC manifest."""
    from ccl.cohort.sheet import Source, make_sheet

    click.echo(str(make_sheet(out, Source(source, **rules), patients)))


@click.command("init")
@click.option(
    "--slides", type=FOUND, required=True, help="folder of slides, with or without subfolders, or GDC manifest"
)
@source_options
@click.option("--patients", type=FILE, required=True, help="table of follow-up, a row per patient or slide")
@omics_options(FILE)
@click.option("--gmt", type=FILE, multiple=True, help="GMT file of gene families, required with omics (repeat)")
@click.option("--clinical", type=FILE, help="table of covariates such as age and stage, a row per patient")
@click.option("--out", type=PATH, required=True, help="config to write, such as config/mine.yaml")
def init(
    out: Path, slides: Path, sample_sheet: Path | None, pattern: str | None, frozen: Frozen | None, **inputs: Any
) -> None:
    """Write a first config and the sheet of slides for your own cohort."""
    from ccl.cohort.init import init_config
    from ccl.cohort.sheet import Source

    click.echo(str(init_config(out, slides=Source(slides, sample_sheet, pattern, frozen), **inputs)))


@click.command("source")
@click.option("--from", "section", required=True, help="section `from` of the config, as JSON")
@click.option("--folder", type=PATH, required=True, help="folder of the download")
@click.option("--genes", type=PATH, help="table from Ensembl ids to symbols")
@click.option("--omics/--no-omics", default=True, help="whether to read omics")
@click.option("--out", type=PATH, required=True, help="folder of the results")
def source(section: str, out: Path, **inputs: Any) -> None:
    """Read a public download: cBioPortal, GDC or UCSC Xena."""
    from ccl.config.check import strictly
    from ccl.config.cohort_sections import Source
    from ccl.source.stage import read_source

    read_source(out, source=strictly(Source, json.loads(section)), **inputs)


@click.command("cohort")
@click.option("--name", required=True, help="name of the cohort")
@click.option("--patients", type=PATH, required=True, help="table of follow-up")
@click.option("--slides", type=PATH, help="sample sheet of slides")
@click.option("--endpoint-table", type=PATH, help="table of the endpoint, if it is not that of the patients")
@click.option("--folds", type=PATH, multiple=True, help="file of a fold, in order (repeat)")
@click.option("--held-out", type=PATH, help="table of patients or sites that are in no fold")
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
    from ccl.config.cohort_sections import Clinical

    read_covariates(out, clinical=strictly(Clinical, json.loads(covariates)), **inputs)


@click.command("genomics")
@omics_options(PATH)
@click.option("--gmt", type=PATH, required=True, multiple=True, help="file of gene families (repeat)")
@click.option("--aliases", type=PATH, help="table of old and new gene symbols")
@click.option("--out", type=PATH, required=True, help="file to write")
@settings_options(GenomicsSettings)
def genomics(
    out: Path, gmt: tuple[Path, ...], aliases: Path | None, settings: GenomicsSettings, **tables: Path | None
) -> None:
    """Group omics by gene family."""
    from ccl.genomics.stage import group_genomics

    given = {kind: path for kind, path in tables.items() if path}
    group_genomics(out, settings=settings, tables=given, gmt=gmt, aliases=aliases)


@click.command("cluster")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--manifests", type=PATH, multiple=True, required=True, help="manifest of features (repeat)")
@click.option("--out", type=PATH, required=True, help="file to write")
@ON_BAD_SLIDE
@THREADS
@click.option("--overwrite", is_flag=True, help="cluster every patient again, even if finished")
@settings_options(ClusterSettings)
def cluster(manifests: tuple[Path, ...], **inputs: Any) -> None:
    """Cluster the patches of each patient."""
    from ccl.cluster.stage import cluster_cohort

    cluster_cohort(manifests=list(manifests), **inputs)


@click.command("vectors")
@click.option("--name", required=True, help="name of the vectors in the config")
@click.option("--path", type=PATH, help="folder of vectors of TRIDENT or STAMP, or a table")
@click.option("--mean-of", help="encoder whose patches are averaged")
@click.option("--slides", type=PATH, help="sample sheet of slides")
@click.option("--manifests", type=PATH, multiple=True, help="manifest of the features that are averaged (repeat)")
@click.option("--out", type=PATH, required=True, help="file to write")
@ON_BAD_SLIDE
@settings_options(VectorsSettings)
def vectors(out: Path, **inputs: Any) -> None:
    """Join the slide-level vectors of each patient."""
    from ccl.vectors.stage import make_vectors

    make_vectors(out, **inputs)


COMMANDS = (demo, slides, init, source, cohort, clinical, genomics, cluster, vectors)
