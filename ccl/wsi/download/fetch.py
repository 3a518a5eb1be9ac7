"""Downloading one file: resumed, checked against the manifest, and complete under its name or not there at all."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

from ccl import __version__
from ccl.io.errors import FULL, SlideError
from ccl.io.gdc import GdcFile
from ccl.io.progress import say

BLOCK_BYTES = 1 << 20
TIMEOUT_S = 60.0
"""Seconds without a byte after which a connection counts as lost."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Wait before a file is tried again; it doubles with each try, or is what the server asks for, up to the longest."""
WRONG_CONTENTS = 2
"""Complete downloads with a wrong MD5 sum after which a file is given up."""

PASSING = {408, 416, 425, 429, 500, 502, 503, 504}
"""HTTP status codes after which the same request may succeed: https://www.rfc-editor.org/rfc/rfc9110#name-status-codes."""


class _Passing(Exception):
    """A failure that may pass: a lost connection, a server that is busy, wrong bytes."""

    def __init__(self, found: str, wait_s: float | None = None) -> None:
        super().__init__(found)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Server:
    """Where files are downloaded from.

    Parameters
    ----------
    address : str
        To which the id of a file is appended.
    token : str
        The token of controlled access.  It is sent to the server as the header ``X-Auth-Token``, not to another one to
        which the server may redirect, and is written nowhere.
    retries : int
        Times in a row that a file is tried again without a new byte.
    stop : Event
        Ends all downloads when it is set; their bytes stay.
    """

    address: str
    token: str | None = field(default=None, repr=False)
    retries: int = 5
    stop: threading.Event = field(default_factory=threading.Event, repr=False)
    reached: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    """Set once the server has answered.  If it never does, the first file that is given up sets `stop`."""

    def fetch(self, file: GdcFile, path: Path) -> None:
        """Make sure that `file` is complete at `path`: check the file that is there, or download it.

        Bytes go to a hidden file beside `path`, from whose end an interrupted download continues.  It becomes `path`
        only if its size and MD5 sum are those of the manifest.  If two processes ask for a file, one waits for the
        other.

        Raises
        ------
        SlideError
            Another file is at `path`, the server does not have the file or denies it, sends a file of another size, or
            the download failed too often.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(part_of(path)) as part:
                if not path.exists():
                    self._complete(file, path, part)
                    part_of(path).replace(path)
                    return
                part_of(path).unlink()
        _check_present(file, path)

    def _complete(self, file: GdcFile, path: Path, part: BinaryIO) -> None:
        """Download until `part` has the content of `file`."""
        tries, wrong, most = 0, 0, _size(part)
        while True:
            try:
                if self.stop.is_set():
                    raise _Passing("stopped, or the server cannot be reached")
                self._transfer(file, path, part)
                found = _md5(part_of(path))
                if found == file.md5:
                    return
                part.truncate(0)
                wrong, most = wrong + 1, 0
                failure = _Passing(f"bytes of the MD5 sum {found} instead of {file.md5}")
            except _Passing as error:
                failure = error
            size = _size(part)
            tries, most = (0, size) if size > most else (tries + 1, most)
            if tries > self.retries or wrong == WRONG_CONTENTS or self.stop.is_set():
                self._give_up(file, path, failure, size)
            wait_s = failure.wait_s or FIRST_WAIT_S * 2 ** max(0, tries - 1)
            say(f"{file.name}: {failure}; {size:,} of {file.size:,} bytes are there, trying again")
            if self.stop.wait(min(wait_s, LONGEST_WAIT_S)):
                self._give_up(file, path, failure, size)

    def _transfer(self, file: GdcFile, path: Path, part: BinaryIO) -> None:
        """Ask once for the bytes that `part` lacks, and append them."""
        have = _size(part)
        if have > file.size:
            part.truncate(0)
            have = 0
        if have == file.size:
            return
        try:
            with urllib.request.urlopen(self._request(file, have), timeout=TIMEOUT_S) as response:
                self.reached.set()
                start, whole = _range(response)
                if whole is not None and whole != file.size:
                    self._wrong_size(file, path, f"{whole:,} bytes of {response.headers.get_content_type()}")
                if start not in (0, have):
                    raise _Passing(f"bytes from {start:,} on, and not from {have:,}")
                part.truncate(start)
                for block in iter(lambda: response.read(BLOCK_BYTES), b""):
                    rest = memoryview(block)
                    while rest:  # the system may take less than all of it
                        rest = rest[part.write(rest) :]
                    if self.stop.is_set():
                        raise _Passing("stopped")
                    if _size(part) > file.size:
                        part.truncate(0)
                        self._wrong_size(file, path, "more bytes")
        except urllib.error.HTTPError as error:
            with error:
                self.reached.set()
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    part.truncate(0)
                self._refused(file, path, error)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            raise _Passing(f"the connection failed ({_reason(error)})") from error
        if _size(part) < file.size:
            raise _Passing("the connection ended early")

    def _request(self, file: GdcFile, have: int) -> urllib.request.Request:
        """Return the request for the bytes of a file from `have` on."""
        headers = {"User-Agent": f"ccl/{__version__}", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        request = urllib.request.Request(self.address.rstrip("/") + "/" + file.id, headers=headers)
        if self.token:
            request.add_unredirected_header("X-Auth-Token", self.token)
        return request

    def _refused(self, file: GdcFile, path: Path, error: urllib.error.HTTPError) -> NoReturn:
        """Raise what a status code means."""
        if error.code in PASSING:
            asked = str(error.headers.get("Retry-After", ""))
            raise _Passing(f"HTTP {error.code} {error.reason}", float(asked) if asked.isdigit() else None)
        found = f"HTTP {error.code} {error.reason}"
        match error.code:
            case 401 | 403 if self.token:
                todo = (
                    "get a new token from the GDC portal; tokens expire after 30 days, and need access to the project"
                )
                raise self._error("the server denies the file", file, path, found, "access with this token", todo)
            case 401 | 403:
                todo = "set `download: token` to the file of a token from the GDC portal, if the data are controlled"
                raise self._error("the server denies the file", file, path, found, "open access", todo)
            case 404 | 410:
                todo = "download a new manifest; files are replaced in new data releases"
                raise self._error("the server does not have the file", file, path, found, "a file of this id", todo)
        todo = "check `download: server`, and the connection (a proxy?)"
        raise self._error("the server refuses the file", file, path, found, "HTTP 200 or 206", todo)

    def _wrong_size(self, file: GdcFile, path: Path, found: str) -> NoReturn:
        todo = "download a new manifest; if a web page was sent, check `download: server` and the connection (a proxy?)"
        expected = f"{file.size:,} bytes, as in the manifest"
        raise self._error("the server has another file than the manifest", file, path, found, expected, todo)

    def _give_up(self, file: GdcFile, path: Path, failure: _Passing, size: int) -> NoReturn:
        """Raise the error that ends the tries for a file."""
        if not self.reached.is_set():
            self.stop.set()
        todo = "run again: it continues with the bytes that are there"
        if "MD5" in str(failure):
            todo = "download a new manifest, or check the connection; the wrong bytes were removed"
        expected = f"{file.size:,} bytes of the MD5 sum {file.md5}"
        found = f"{failure}; {size:,} bytes are there"
        raise self._error("the download failed again and again", file, path, found, expected, todo) from failure

    def _error(self, problem: str, file: GdcFile, path: Path, found: str, expected: str, todo: str) -> SlideError:
        where = f"{path.name}, {self.address.rstrip('/')}/{file.id}"
        return SlideError(problem, where=where, found=found, expected=expected, todo=todo)


def part_of(path: Path) -> Path:
    """Return the hidden file that holds the bytes of an unfinished download."""
    return path.with_name(f".{path.name}.part")


def missing_bytes(file: GdcFile, path: Path) -> int:
    """Return the number of bytes that are still to be downloaded."""
    if path.exists():
        return 0
    part = part_of(path)
    return max(0, file.size - (part.stat().st_size if part.exists() else 0))


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open a file to append to it, and wait while another process or thread has it open here.

    A disk without locks is used without them.
    """
    while True:
        with path.open("ab", buffering=0) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError:
                yield handle
                return
            if _is_at(handle, path):  # else whoever had it open renamed or removed it
                yield handle
                return


def _is_at(handle: BinaryIO, path: Path) -> bool:
    """Return whether an open file is the one that has the name `path` now."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _check_present(file: GdcFile, path: Path) -> None:
    """Raise SlideError if the file at `path` is not the one of the manifest; it is never replaced."""
    size = path.stat().st_size
    found = f"{size:,} bytes" if size != file.size else f"the MD5 sum {_md5(path)}"
    if found != f"the MD5 sum {file.md5}":
        raise SlideError(
            "the slide that is there is not the one of the manifest",
            where=str(path),
            found=found,
            expected=f"{file.size:,} bytes of the MD5 sum {file.md5}",
            todo="move it away, and run again to download the slide",
        )


def _md5(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _size(part: BinaryIO) -> int:
    return os.fstat(part.fileno()).st_size


def _range(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return the first byte of a response, and the size of the whole file if the server says it."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length")
        return 0, int(length) if length else None
    said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not said:
        raise _Passing("a part of the file without its place")
    return int(said[1]), None if said[2] == "*" else int(said[2])


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return " ".join(f"{type(reason).__name__}: {reason}".split())
