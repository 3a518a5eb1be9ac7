"""The command line: one sub-command per stage, no logic.

Snakemake calls these commands; each can be called by hand with the same arguments.
"""

from __future__ import annotations

import sys

import click

from ccl import __version__
from ccl.cli import cohort, results, slides, tools, training
from ccl.io.errors import CclError, machine_error


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
    """Run the command line; ccl's own errors and failures of the machine print one message and exit with 1."""
    try:
        cli()
    except Exception as error:
        if failure := machine_error(error):
            click.echo(f"error: {' '.join(sys.argv[1:2])}: {failure}", err=True)
        elif isinstance(error, CclError):
            click.echo(f"error: {error}", err=True)
        else:
            raise
        sys.exit(1)
