"""The command line: one sub-command per stage, no logic.

Snakemake calls these commands; each can be called by hand with the same words.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ccl import __version__
from ccl.cli.results import RESULTS
from ccl.config.sections import ClusterSettings
from ccl.config.sections import CohortSettings
from ccl.config.sections import DemoSettings
from ccl.config.sections import EmbedSettings
from ccl.io.errors import FULL, CclError, disk_full
from ccl.config.sections import GenomicsSettings
from ccl.io.interop import LAYOUTS
from ccl.cli.options import DEVICE, ON_BAD_SLIDE, PATH, THREADS
from ccl.config.sections import BundleSettings, PredictSettings
from ccl.config.options import settings_options
from ccl.config.sections import TileSettings
from ccl.config.sections import TissueSettings
from ccl.config.sections import TrainSettings
from ccl.train.tracks import TRACKS


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ccl")
def cli() -> None:
    """From whole-slide images and genomics to survival risk.

    Each command is one stage of the graph that `snakemake` runs; docs/formats.md describes their files.
    """


for command in RESULTS:
    cli.add_command(command)


def main() -> None:
    """Run the command line; an error that ccl raised on purpose, and a full disk, print one message and exit with 1."""
    try:
        cli()
    except CclError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in FULL:
            raise
        click.echo(f"error: {disk_full(sys.argv[1], error.filename or '', error)}", err=True)
        sys.exit(1)


@cli.command("demo")
@click.argument("out", type=PATH)
@settings_options(DemoSettings)
def demo(out: Path, settings: DemoSettings) -> None:
    """Make the synthetic cohort in OUT."""
    from ccl.demo.make import make_demo

    make_demo(out, settings)


@cli.command("cohort")
@click.option("--name", required=True, help="name of the cohort")
@click.option("--patients", type=PATH, required=True, help="table of follow-up")
@click.option("--slides", type=PATH, help="sample sheet of slides")
@click.option("--folds", type=PATH, multiple=True, help="file of a fold, in order (repeat)")
@click.option("--out", type=PATH, required=True, help="folder of the results")
@settings_options(CohortSettings)
def cohort(name: str, out: Path, **inputs: Any) -> None:
    """Check patients, slides and folds."""
    from ccl.cohort.run import make_cohort

    make_cohort(name, out, **inputs)


def shard_options(command: Any) -> Any:
    """Give a slide stage's command the options that every slide stage has."""
    for option in (
        click.option("--slides", type=PATH, required=True, help="sample sheet of slides"),
        click.option("--shard", type=int, required=True, help="which share of the slides, from 0"),
        click.option("--shards", type=int, required=True, help="how many shares there are"),
        click.option("--out", type=PATH, required=True, help="folder of the slides' files"),
        click.option("--manifest", type=PATH, required=True, help="manifest to write"),
        ON_BAD_SLIDE,
        click.option("--overwrite", is_flag=True, help="make every slide again, finished or not"),
    ):
        command = option(command)
    return command


def run_slide_stage(stage: Any, *, slides: Path, shard: int, shards: int, upstream: Path | None, **rest: Any) -> None:
    """Run a slide stage over one shard."""
    from ccl.io.sheets import read_slide_sheet
    from ccl.io.shards import Shard, run_shard, shard_slides

    run_shard(stage, Shard(shard_slides(read_slide_sheet(slides), shard, shards), upstream, **rest))


UPSTREAM = click.option("--upstream", type=PATH, required=True, help="the shard's manifest of the stage before")


@cli.command("tissue")
@shard_options
@settings_options(TissueSettings)
def tissue(settings: TissueSettings, out: Path, **shard: Any) -> None:
    """Outline the tissue of slides."""
    from ccl.wsi.tissue.stage import TissueStage

    run_slide_stage(TissueStage(out, settings), upstream=None, **shard)


@cli.command("tile")
@shard_options
@UPSTREAM
@settings_options(TileSettings)
def tile(settings: TileSettings, out: Path, **shard: Any) -> None:
    """Lay the grid of patches over the tissue."""
    from ccl.wsi.tile.stage import TileStage

    run_slide_stage(TileStage(out, settings), **shard)


@cli.command("quality")
@click.option("--cohort", required=True, help="name of the cohort")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--tissue", type=PATH, multiple=True, required=True, help="manifest of tissue (repeat)")
@click.option("--tile", type=PATH, multiple=True, required=True, help="manifest of tiles (repeat)")
@click.option("--out", type=PATH, required=True, help="folder of the table and the page")
@click.option("--synthetic/--real", default=False, help="whether the cohort is synthetic")
def quality(out: Path, **inputs: Any) -> None:
    """Show the slides of a cohort side by side."""
    from ccl.wsi.quality.run import make_contact_sheet

    make_contact_sheet(out, **inputs)


@cli.command("embed")
@shard_options
@UPSTREAM
@settings_options(EmbedSettings)
@click.option("--batch-size", type=int, default=64, show_default=True, help="patches per forward pass")
@DEVICE
@THREADS
def embed(settings: EmbedSettings, out: Path, batch_size: int, device: str, threads: int, **shard: Any) -> None:
    """Embed patches with an encoder."""
    import torch

    from ccl.io.devices import pick_device
    from ccl.wsi.embed.stage import EmbedStage

    torch.set_num_threads(threads)
    run_slide_stage(EmbedStage(out, settings, batch_size, pick_device(device), threads), **shard)


@cli.command("import")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--features", type=PATH, required=True, help="folder of features made by TRIDENT, CLAM or STAMP")
@click.option("--manifest", type=PATH, required=True, help="manifest to write")
@ON_BAD_SLIDE
def import_(manifest: Path, **inputs: Any) -> None:
    """Take features made elsewhere."""
    from ccl.io.interop.importing import import_features

    import_features(manifest, **inputs)


@cli.command("export")
@click.option("--layout", type=click.Choice(LAYOUTS), required=True, help="tool to write for")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--out", type=PATH, required=True, help="folder to write into")
@click.argument("manifests", type=PATH, nargs=-1, required=True)
def export(out: Path, **inputs: Any) -> None:
    """Write features and coordinates for another tool, of the slides in MANIFESTS of `embed`, `import` or `tile`."""
    from ccl.io.interop.exporting import export_features

    export_features(out, **inputs)


@cli.command("genomics")
@click.option("--wide", type=PATH, help="one table of GENE_rnaseq, GENE_cnv and GENE_mut")
@click.option("--rna", type=PATH, help="table of expression, a column per gene")
@click.option("--cnv", type=PATH, help="table of copy numbers, a column per gene")
@click.option("--snv", type=PATH, help="table of mutations, a column per gene")
@click.option("--gmt", type=PATH, required=True, help="GMT file of gene families")
@click.option("--out", type=PATH, required=True, help="file to write")
@settings_options(GenomicsSettings)
def genomics(out: Path, gmt: Path, settings: GenomicsSettings, **tables: Path | None) -> None:
    """Group omics by gene family."""
    from ccl.genomics.run import group_genomics

    group_genomics(out, settings=settings, tables={kind: path for kind, path in tables.items() if path}, gmt=gmt)


@cli.command("cluster")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--manifests", type=PATH, multiple=True, required=True, help="manifest of features (repeat)")
@click.option("--out", type=PATH, required=True, help="file to write")
@ON_BAD_SLIDE
@THREADS
@click.option("--overwrite", is_flag=True, help="cluster every patient again, finished or not")
@settings_options(ClusterSettings)
def cluster(manifests: tuple[Path, ...], **inputs: Any) -> None:
    """Cluster the patches of each patient."""
    from ccl.cluster.run import cluster_cohort

    cluster_cohort(manifests=list(manifests), **inputs)


def stage_files(command: Any) -> Any:
    """Give a command the options of the files that a method reads."""
    for option in (
        click.option("--manifests", type=PATH, multiple=True, help="manifest of features (repeat)"),
        click.option("--slides", type=PATH, help="sample sheet of slides"),
        click.option("--clusters", type=PATH, help="file of the cluster stage"),
        click.option("--genomics", type=PATH, help="file of the genomics stage"),
    ):
        command = option(command)
    return command


def _inputs(options: dict[str, Any]) -> Any:
    """Take what training reads out of a command's options."""
    from ccl.data.fold import Inputs

    return Inputs(**{field.name: options.pop(field.name) for field in fields(Inputs)})


@cli.command("train")
@click.option("--cohort", required=True, help="name of the cohort")
@click.option("--encoder", required=True, help="name of the encoder, none for a method that reads no slides")
@click.option("--model", required=True, help="name of the run's folder and of its row in the tables")
@click.option("--method", required=True, help="the method, one of `ccl models`")
@click.option("--fold", type=int, required=True, help="fold to train")
@click.option("--patients", type=PATH, required=True, help="patients.csv of the cohort stage")
@click.option("--folds", type=PATH, required=True, help="folds.csv of the cohort stage")
@stage_files
@click.option("--out", type=PATH, required=True, help="folder of the run")
@click.option(
    "--track",
    type=click.Choice(TRACKS),
    default="unified",
    help="trained as told here, or as its authors do",
)
@click.option("--bags", type=click.Choice(["disk", "memory"]), default="disk", help="where bags are between epochs")
@click.option("--overrides", default="{}", help="the method's hyper-parameters that differ from its own, as JSON")
@click.option("--synthetic/--real", default=False, help="whether the cohort is synthetic")
@DEVICE
@THREADS
@settings_options(TrainSettings)
def train(overrides: str, **options: Any) -> None:
    """Train a method on one fold."""
    from ccl.train.run import train_fold

    train_fold(overrides=json.loads(overrides), inputs=_inputs(options), **options)


@cli.command("bundle")
@click.argument("runs", type=PATH, nargs=-1, required=True)
@click.option("--patients", type=PATH, required=True, help="patients.csv of the cohort stage")
@click.option("--folds", type=PATH, required=True, help="folds.csv of the cohort stage")
@stage_files
@click.option("--preprocessing", default="{}", help="sections of the config that made these files, as JSON")
@click.option("--out", type=PATH, required=True, help="folder of the bundle")
@settings_options(BundleSettings)
def bundle(runs: tuple[Path, ...], preprocessing: str, **options: Any) -> None:
    """Pack the folds (RUNS) of a model for new patients.

    The other options name the files that the folds were trained on.
    """
    from ccl.predict.bundle import make_bundle

    make_bundle(runs=runs, inputs=_inputs(options), preprocessing=json.loads(preprocessing), **options)


@cli.command("predict")
@click.option("--bundle", type=PATH, required=True, help="folder that `ccl bundle` wrote")
@stage_files
@click.option("--out", type=PATH, required=True, help="folder of the predictions")
@DEVICE
@THREADS
@settings_options(PredictSettings)
def predict(**options: Any) -> None:
    """Tell the risk of patients without follow-up."""
    from ccl.predict.run import predict_patients

    predict_patients(**options)


@cli.command("verify")
@click.argument("results", type=PATH)
@click.option("--mend", is_flag=True, help="remove what is damaged, and say how just that is made again")
def verify(results: Path, mend: bool) -> None:
    """Check that all that slide stages made in RESULTS is there and whole; not while `snakemake` runs."""
    from ccl.wsi.verify import verify_results

    problems = verify_results(results)
    for problem in problems:
        click.echo(f"{problem.path}: {problem.found}")
        if mend:
            problem.path.unlink(missing_ok=True)
    if not problems:
        click.echo("all there and whole")
        return
    manifests = sorted({shlex.quote(str(problem.manifest)) for problem in problems if problem.manifest})
    if mend and manifests:
        click.echo(f"make them again, with your --configfile: snakemake --cores 8 --force {' '.join(manifests)}")
    elif not mend:
        click.echo(f"{len(problems)} problems: run again with --mend")
    sys.exit(0 if mend else 1)


@cli.command("doctor")
@click.option("--config", type=PATH, help="config to check as well, with the weights of its encoders")
@click.option("--fetch", is_flag=True, help="download the weights that are missing into the hub's cache")
@click.option("--workflow-profile", help="profile whose jobs the SLURM cluster is to have room for")
def doctor(config: Path | None, fetch: bool, workflow_profile: str | None) -> None:
    """Check the installation, a config, and that weights are there; without --fetch, nothing is downloaded."""
    from ccl.doctor import examine

    if config is None and (fetch or workflow_profile):
        raise click.UsageError("--fetch and --workflow-profile are about a run: name its --config")
    failed = False
    for finding in examine(config, fetch=fetch, profile=workflow_profile):
        click.echo(finding)
        failed |= finding.state == "fail"
    sys.exit(failed)


@cli.command("encoders")
def encoders() -> None:
    """List the known encoders; any other model of timm goes by its name there."""
    from ccl.wsi.encoders import ENCODERS

    row = "{:<17}{:>7}{:>7}  {:<17}{:<11}{:<8}{:<32}{}"
    click.echo(row.format("name", "width", "input", "um/px", "precision", "access", "licence", "to cite"))
    for e in ENCODERS.values():
        scales = ", ".join(f"{scale:g}" for scale in e.mpp) or "any"
        click.echo(row.format(e.name, f"{e.dim}-d", e.input_px, scales, e.precision, e.access, e.licence, e.citation))


@cli.command("models")
@click.option("--markdown", is_flag=True, help="the page docs/methods.md, with every hyper-parameter")
def models(markdown: bool) -> None:
    """List the known methods, with their parameters at the sizes of TCGA-BLCA."""
    from ccl.methods.listing import lines, page

    click.echo(page() if markdown else "\n".join(lines()), nl=not markdown)
