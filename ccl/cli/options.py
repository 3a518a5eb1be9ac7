"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from ccl.config.options import key_option
from ccl.config.sections import Config, Device

PATH = click.Path(path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOUND = click.Path(exists=True, path_type=Path)
DEVICE = click.option("--device", type=click.Choice(get_args(Device)), default="auto", show_default=True)
THREADS = click.option("--threads", type=int, default=1, show_default=True, help="CPU threads to use")
ON_BAD_SLIDE = key_option(Config, "on_bad_slide")
