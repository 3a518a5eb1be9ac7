"""Every error that ccl raises on purpose.

::

    CclError
    ├── ConfigError      a key of the config, or an option of a command
    ├── InputError       a file the user gave: its absence, its layout, a row of it
    │   ├── ChangedError a slide that an earlier stage read is gone, or is another one
    │   ├── DamageError  a file that ccl wrote is no longer what it wrote
    │   └── SlideError   one slide: unreadable, no scale, no tissue, too few patches
    ├── MachineError     the machine, no file and no key: a full disk or memory, a refused file
    ├── ModelError       a method asked for data it cannot use, or training that diverged
    └── StageError       a stage that finished with bad slides or patients; lists all of them

Each message says what is wrong, where, what was found, what was expected and what to do.  The
command line prints it without a traceback and exits with 1; anything that is not a ``CclError``
is a defect of ccl and keeps its traceback.
"""

from __future__ import annotations

import errno
import re

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of the system for a full disk or quota."""

NO_MEMORY = re.compile(
    "OutOfMemoryError|can't allocate memory|Insufficient memory|Cannot allocate memory|can't start new thread"
    "|TerminatedWorkerError|memory allocation failed"
)
"""What torch, OpenCV, the system, threads, joblib (of a killed process) and HDF5 say if memory is full."""


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


class MachineError(CclError):
    """The machine failed, and no file, slide or key is to blame; the same command may succeed later."""


class ModelError(CclError):
    """A method was asked for data it cannot use, or its training diverged."""


class StageError(CclError):
    """A stage finished its good slides or patients, and others failed."""


def machine_error(error: BaseException, *, where: str = "", need: int | None = None) -> MachineError | None:
    """Return the error for a failure of the machine, or None if `error` says that something else is wrong.

    Parameters
    ----------
    error : BaseException
        What the system or a library raised.
    where : str
        The file that was read or written; by default the one that `error` names.
    need : int, optional
        Bytes that were to be written, if they are known.
    """
    if isinstance(error, CclError):
        return error if isinstance(error, MachineError) else None
    if isinstance(error, MemoryError) or NO_MEMORY.search(f"{type(error).__name__}: {error}"):
        return MachineError(
            "the memory is full",
            where=where,
            found=" ".join(str(error).split())[:300] or type(error).__name__,
            todo="end other programs, or give the job more memory (`mem_mb`) or fewer threads, and run again; "
            "what is finished stays",
        )
    if not isinstance(error, OSError) or error.errno is None:
        return None
    where = where or str(error.filename or "")
    said = error.strerror or str(error)
    if error.errno in FULL:
        return MachineError(
            "the disk is full",
            where=where,
            found=f"{said}; {need:,} bytes were to be written" if need else said,
            todo="free some space, or set `results` to another disk, and run again; "
            "what is finished stays, and nothing is half-written",
        )
    return MachineError(
        "the system refuses a file or folder",
        where=where,
        found=said,
        todo="mend that (permissions, a disk that is read-only or was disconnected), and run again; "
        "what is finished stays",
    )
