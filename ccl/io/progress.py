"""Progress bars that read well on a terminal and in a log file."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def say(text: str) -> None:
    """Write a line to the log, above a progress bar if there is one."""
    tqdm.write(text, file=sys.stderr)


def progress(items: Collection[Item], what: str, *, unit: str) -> Iterator[Item]:
    """Iterate over `items` with a bar; a log file gets a line every 10 s instead of a redrawn one."""
    terminal = sys.stderr.isatty()
    yield from tqdm(
        items, what, unit=unit, mininterval=0.1 if terminal else 10.0, ascii=not terminal, dynamic_ncols=terminal
    )
