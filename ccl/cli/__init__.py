"""The command line: one sub-command per stage, no logic.

Snakemake calls these commands; each can be called by hand with the same arguments.
"""

from __future__ import annotations

import sys

import click

from ccl import __version__
from ccl.cli import cohort, results, slides, tools, training
from ccl.io.errors import FULL, CclError, disk_full


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ccl")
def cli() -> None:
    """From whole-slide images and genomics to survival risk.

    Each command is one stage of the graph that `snakemake` runs; docs/formats.md describes their files.
    """


for module in (cohort, slides, training, results, tools):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run the command line; ccl's own errors and a full disk print one message and exit with 1."""
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
