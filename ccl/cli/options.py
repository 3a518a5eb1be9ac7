"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
THREADS = click.option("--threads", type=int, default=1, show_default=True, help="CPU threads to use")
ON_BAD_SLIDE = click.option("--on-bad-slide", type=click.Choice(["fail", "exclude"]), default="fail", show_default=True)
