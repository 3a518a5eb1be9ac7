"""The synthetic cohort that a config declares, known before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ccl.config.sections import Config, DemoSettings
from ccl.io.sheets import Slide


@dataclass(frozen=True)
class Demo:
    """``demo``: a rule makes these files in the ``data`` folder, if they are not there."""

    settings: DemoSettings
    files: list[str]
    """The tables and slides, the sheet of slides among them."""
    slides: list[Slide]
    """What the sheet of slides will list."""


def declared_demo(config: Config) -> Demo | None:
    """Return the demo cohort of a config, or None.

    Raises
    ------
    InputError
        The ``data`` folder holds something else.
    """
    if config.demo is None:
        return None
    from ccl.demo.plan import demo_files, demo_slides, is_made  # a config of one's own does without

    folder = Path(config.data)
    settings = DemoSettings(patients=config.demo.patients, seed=config.demo.seed)
    is_made(folder, settings)
    return Demo(settings, list(map(str, demo_files(folder, settings))), demo_slides(folder, settings))
