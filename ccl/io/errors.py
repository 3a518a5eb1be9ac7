"""Every error that ccl raises on purpose.

::

    CclError
    ├── ConfigError      a key of the config, or an option of a command
    ├── InputError       a file the user gave: its absence, its layout, a row of it
    │   ├── ChangedError a slide that an earlier stage read is gone, or is another one
    │   ├── DamageError  a file that ccl wrote is no longer what it wrote
    │   └── SlideError   one slide: unreadable, no scale, no tissue, too few patches
    ├── ModelError       a method asked for data it cannot use, or training that diverged
    └── StageError       a stage that finished with bad slides or patients; lists all of them

Each message says what is wrong, where, what was found, what was expected and what to do.  The
command line prints it without a traceback and exits with 1; anything that is not a ``CclError``
is a defect of ccl and keeps its traceback.
"""

from __future__ import annotations

import errno

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of the system for a full disk or quota."""


class CclError(Exception):
    """Base of all errors that ccl raises on purpose.

    Parameters
    ----------
    problem : str
        One sentence: what is wrong.
    where : str
        File and row, slide, patient or config key.
    found, expected : str
        The actual and the expected value.
    todo : str
        What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str = "",
        found: str = "",
        expected: str = "",
        todo: str = "",
    ) -> None:
        self.problem = problem
        self.where = where
        self.found = found
        self.expected = expected
        self.todo = todo
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join([self.problem, *(f"  {name + ':':<10}{text}" for name, text in self._parts())])

    @property
    def line(self) -> str:
        """The whole message on one line, for tables and manifests."""
        parts = [self.problem, *(f"{name}: {text}" for name, text in self._parts())]
        return " ".join("; ".join(parts).split())

    def _parts(self) -> list[tuple[str, str]]:
        parts = [("where", self.where), ("found", self.found), ("expected", self.expected), ("to do", self.todo)]
        return [(name, text) for name, text in parts if text]


class ConfigError(CclError):
    """A key of the config, or an option of a command, is wrong."""


class InputError(CclError):
    """A file that the user gave is missing, malformed, or holds an impossible value."""


class ChangedError(InputError):
    """A slide that an earlier stage read is gone, or another one is in its place; ``on_bad_slide`` does not apply."""


class DamageError(InputError):
    """A file that ccl wrote is damaged, or was changed since."""


class SlideError(InputError):
    """One slide cannot be used; the others go on."""


class ModelError(CclError):
    """A method was asked for data it cannot use, or its training diverged."""


class StageError(CclError):
    """A stage finished its good slides or patients, and others failed."""


def disk_full(stage: str, where: str, error: OSError) -> StageError:
    """Return the error that ends a stage whose results no longer fit on the disk."""
    return StageError(
        f"{stage}: the disk is full",
        where=where,
        found=str(error),
        todo="free some space, or set `results` to another disk, and run again; "
        "what is finished stays, and nothing is half-written",
    )
