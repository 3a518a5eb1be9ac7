"""The synthetic cohort that a config declares, known before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ccl.config.sections import Config, DemoSettings
from ccl.demo.plan import demo_files, demo_slides, is_made
from ccl.io.sheets import Slide


@dataclass(frozen=True)
class Demo:
    """``demo``: a rule makes these files in the ``data`` folder, if they are not there."""

    folder: Path
    settings: DemoSettings

    @cached_property
    def files(self) -> list[str]:
        """The tables and slides, the sheet of slides among them."""
        return [str(path) for path in demo_files(self.folder, self.settings)]

    @cached_property
    def slides(self) -> list[Slide]:
        """What the sheet of slides will list."""
        return demo_slides(self.folder, self.settings)


def declared_demo(config: Config) -> Demo | None:
    """Return the demo cohort of a config, or None.

    Raises
    ------
    InputError
        The ``data`` folder holds something else.
    """
    if config.demo is None:
        return None
    settings = DemoSettings(patients=config.demo.patients, seed=config.demo.seed)
    is_made(Path(config.data), settings)
    return Demo(Path(config.data), settings)
