"""Reading files of unknown origin in a child process, since HDF5 can hang or crash on a damaged one."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ccl.io.checksums import MEND
from ccl.io.errors import DamageError

SECONDS = 60.0
"""Time for a file of any size; starting the process included."""

BYTES_PER_SECOND = 2e6
"""Further time for its bytes; slow network disks are ten times as fast."""

MEMORY_BYTES = 1 << 34
"""Memory that a reader may take, in addition to four times the size of the file."""


class Apart:
    """A child process that reads one file at a time, and is replaced if it hangs or crashes."""

    def __init__(self) -> None:
        self._process: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self, reader: Callable[[Path], Any], path: Path, *, seconds: float = SECONDS) -> Any:
        """Return ``reader(path)``; the reader is a function of a module, and its result can be pickled.

        Raises
        ------
        DamageError
            The file is not read within `seconds` and further time for its size, it fills the memory, or the process
            crashes.
        Exception
            What the reader raises.
        """
        limit = seconds + path.stat().st_size / BYTES_PER_SECOND
        if self._process is None:
            self._start()
        self._connection.send((reader, path))
        try:
            answered = self._connection.poll(limit)
            answer = self._connection.recv() if answered else None
        except EOFError:
            answered, answer = False, f"the process that read it ended with {self._exit_code()}"
        if not answered:
            self._end()
            raise DamageError(
                "a file that cannot be read", where=str(path), found=answer or f"no answer in {limit:.0f} s", todo=MEND
            )
        if isinstance(answer, MemoryError):
            found = f"it takes more than {MEMORY_BYTES >> 30} GiB of memory"
            raise DamageError("a file that cannot be read", where=str(path), found=found, todo=MEND) from answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self) -> None:
        # A server that has imported the package starts each process in milliseconds; not every system has one.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        context.set_forkserver_preload(["ccl.io.formats"])
        self._connection, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        self._process = process
        theirs.close()

    def _exit_code(self) -> str:
        self._process.join()
        code = self._process.exitcode
        return f"signal {-code}" if code < 0 else f"code {code}"

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None


def _limit_memory(path: Path) -> None:
    """Let a reader take so much memory as files need that are what they seem to be."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + MEMORY_BYTES + 4 * path.stat().st_size
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _serve(connection: Connection) -> None:
    """Answer requests until the other end is closed."""
    while True:
        try:
            reader, path = connection.recv()
        except EOFError:
            return
        try:
            _limit_memory(path)
            answer = reader(path)
        except Exception as error:
            answer = error
        connection.send(answer)
