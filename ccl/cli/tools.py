"""The sub-commands that list encoders, methods and keys, and check the installation and results; no logic."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click

from ccl.cli.options import PATH


@click.command("config")
@click.option("--tables", type=PATH, help="page whose tables of keys to rewrite, such as config/README.md")
def config(tables: Path | None) -> None:
    """Print the JSON schema of the config, for completion and checks in editors."""
    from ccl.config.page import fill_tables, json_schema
    from ccl.io.files import write_text

    if tables:
        write_text(tables, fill_tables(tables.read_text()))
    else:
        click.echo(json_schema())


@click.command("doctor")
@click.option("--config", type=PATH, help="config to check as well, with the weights of its encoders")
@click.option("--fetch", is_flag=True, help="download the weights that are missing into the hub's cache")
@click.option("--workflow-profile", help="profile whose jobs must fit the SLURM cluster")
def doctor(config: Path | None, fetch: bool, workflow_profile: str | None) -> None:
    """Check the installation, a config and its weights; nothing is downloaded without --fetch."""
    from ccl.doctor import examine

    if config is None and (fetch or workflow_profile):
        raise click.UsageError("--fetch and --workflow-profile check a run: name its --config")
    failed = False
    for finding in examine(config, fetch=fetch, profile=workflow_profile):
        click.echo(finding)
        failed |= finding.state == "fail"
    sys.exit(failed)


@click.command("encoders")
def encoders() -> None:
    """List the known encoders; any other timm model can be used by its timm name."""
    from ccl.wsi.encoders import ENCODERS
    from ccl.wsi.encoders.published import patches_in_words

    row = "{:<17}{:>7}{:>7}  {:<24}{:<11}{:<8}{:<32}{}"
    click.echo(row.format("name", "width", "input", "published patches", "precision", "access", "licence", "to cite"))
    for e in ENCODERS.values():
        patches = patches_in_words(*e.published) if e.published else "any"
        click.echo(row.format(e.name, f"{e.dim}-d", e.input_px, patches, e.precision, e.access, e.licence, e.citation))


@click.command("models")
@click.option("--markdown", is_flag=True, help="the page docs/methods.md, with every hyper-parameter")
def models(markdown: bool) -> None:
    """List the known methods, with their parameters at the sizes of TCGA-BLCA."""
    from ccl.methods.listing import lines, page

    click.echo(page() if markdown else "\n".join(lines()), nl=not markdown)


@click.command("verify")
@click.argument("results", type=PATH)
@click.option("--mend", is_flag=True, help="move damaged files aside, and print the command that makes them again")
def verify(results: Path, mend: bool) -> None:
    """Check that the files of all stages in RESULTS exist and are whole; do not run it beside `snakemake`."""
    from ccl.results.verify import put_aside, verify_results

    problems, checked, unchecked = verify_results(results)
    for problem in problems:
        click.echo(f"{problem.path}: {problem.found}")
    click.echo(f"{checked} files agree with their checksums")
    if unchecked:
        click.echo(f"{unchecked} files can be read, but have no checksum: an older version of ccl wrote them")
    if not problems:
        return
    if not mend:
        click.echo(f"{len(problems)} problems; `--mend` moves damaged files aside and says how to make them again")
        sys.exit(1)
    moved, trash = put_aside(results, problems)
    if moved:
        click.echo(f"{len(moved)} files were moved; to move them back: cp -a {shlex.quote(f'{trash}/.')} {results}")
    targets = sorted({shlex.quote(str(problem.again)) for problem in problems if problem.again})
    if targets:
        click.echo(f"make them again, with your --configfile: snakemake --cores 8 --force {' '.join(targets)}")


@click.command("provenance")
@click.argument("file", type=PATH)
@click.option("--data", type=PATH, multiple=True, help="folder to look in for files that were moved (repeat)")
@click.option("--json", "as_json", is_flag=True, help="print W3C PROV-JSON")
def provenance(file: Path, data: tuple[Path, ...], as_json: bool) -> None:
    """Print where FILE comes from, back to slides and tables; exit with 1 if the chain is broken.

    FILE is a figure, a table, an evaluation.json, a table of risks, a bundle.json, or a file of any stage.
    """
    from ccl.results.prov import as_prov
    from ccl.results.provenance import lines, trace

    chain = trace(file, data=data)
    click.echo(json.dumps(as_prov(chain), indent=2) if as_json else "\n".join(lines(chain)))
    sys.exit(bool(chain.broken))


COMMANDS = (config, doctor, encoders, models, verify, provenance)
