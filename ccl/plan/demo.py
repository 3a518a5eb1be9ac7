"""The synthetic cohort that a config declares, planned before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ccl.config.sections import Config, DemoSettings
from ccl.io.sheets import Slide


@dataclass(frozen=True)
class Demo:
    """``demo``: the files that a rule makes in the ``data`` folder if they are missing."""

    settings: DemoSettings
    files: list[str]
    """The tables, including the sheet of slides, and the slides."""
    slides: list[Slide]
    """The slides that the sheet will list."""


def declared_demo(config: Config) -> Demo | None:
    """Return the demo cohort of a config, or None.

    Raises
    ------
    InputError
        The ``data`` folder holds something else.
    """
    if config.demo is None:
        return None
    from ccl.demo.plan import demo_files, demo_slides, is_made  # needed only with a demo cohort

    folder = Path(config.data)
    settings = DemoSettings(patients=config.demo.patients, seed=config.demo.seed)
    is_made(folder, settings)
    return Demo(settings, list(map(str, demo_files(folder, settings))), demo_slides(folder, settings))
