"""Slides that change while a slide stage runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from benchmarks.faults.cases import Case

STAGES = ("tissue", "tile", "embed", "explain")


def change(case: Case, seconds: float) -> tuple[str, Callable[[], None]]:
    """Return what will be done to a slide, and the function that does it within `seconds`.

    The slide is removed, or replaced by another of the cohort, with its date or with an older one.
    """
    slides = [path for path in case.inputs() if path.suffix == ".svs"]
    one, other = case.rng.choice(len(slides), 2, replace=False)
    case.victim = str(slides[one])
    case.moving, case.ours = True, case.stage in ("tile", "embed")
    kind = ("removed", "replaced", "replaced by an older file")[int(case.rng.integers(3))]
    wait = float(case.rng.random()) * seconds

    def during() -> None:
        time.sleep(wait)
        target = case.work / case.victim
        if kind == "removed":
            target.unlink()
            return
        aside = target.with_suffix(".aside")
        aside.write_bytes((case.finished / slides[other]).read_bytes())
        if kind != "replaced":
            os.utime(aside, (1, 1))
        aside.replace(target)

    return kind, during
