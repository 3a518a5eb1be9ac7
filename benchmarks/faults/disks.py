"""Disks that are full, read-only or closed to this user."""

from __future__ import annotations

import builtins
import ctypes
import errno
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.faults.cases import Attack, Case, patched
from ccl.io.checksums import checksum_file

CLONE_NEWNS = 0x00020000
CAPABILITIES_V3, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 0x20080522, 1, 2
"""Numbers of Linux: mounts of a process, and what makes root disregard the modes of files."""


def _run(*words: str | Path) -> None:
    subprocess.run([*map(str, words)], check=True, capture_output=True)


def _mount(*words: str | Path) -> None:
    _run("mount", *words)


def _own_mounts() -> None:
    """Give this process mounts of its own, which end with it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare: needs root")
    _mount("--make-rprivate", "/")


def _places(case: Case) -> list[Path]:
    """Return the folders of the command's results, each once."""
    places = sorted({case.work / area for area in case.areas})
    return [path for path in places if not any(other in path.parents for other in places)]


def full(case: Case) -> Attack:
    """Leave room for a random share of what the command writes."""
    share = float(case.rng.random())

    @contextmanager
    def attack(case: Case) -> Iterator[None]:
        _own_mounts()
        for place in _places(case):
            written = (case.finished / place.relative_to(case.work)).rglob("*")
            _small_disk(place, share, sum(path.stat().st_size + 4096 for path in written))
        os.chdir(case.work)
        try:
            yield
        finally:
            for place in _places(case):
                _moved(place, lambda place: _run("umount", "--lazy", place))

    return attack


def _small_disk(place: Path, share: float, whole: int) -> None:
    """Mount a disk at a folder that has room for a share of what the first run wrote there, in bytes."""
    _moved(place, lambda place: _mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", place))
    disk = os.statvfs(place)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    _mount("-o", f"remount,size={max(4096, used + int(share * max(0, whole - used)))}", place)


def _moved(place: Path, mount: Callable[[Path], None]) -> None:
    """Change what is mounted at a folder, and keep the content."""
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as aside:
        kept = Path(aside) / "kept"
        shutil.copytree(place, kept)
        mount(place)
        for path in place.iterdir():  # links to the files of the first run, which must not change
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(kept, place, dirs_exist_ok=True)


def read_only(case: Case) -> Attack:
    """Make the folders of the results read-only."""

    @contextmanager
    def attack(case: Case) -> Iterator[None]:
        _own_mounts()
        for place in _places(case):
            place.mkdir(parents=True, exist_ok=True)
            _mount("--bind", place, place)
            _mount("-o", "remount,bind,ro", place)
        os.chdir(case.work)
        yield

    return attack


def _give_up_powers() -> None:
    """Let this process obey the modes of files even if it runs as root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    for word in (0, 1):  # effective and permitted
        sets[word] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def refused(case: Case) -> Attack:
    """Forbid to write the results, or to read one input."""
    if case.rng.random() < 0.5:
        victims = case.inputs()
        case.victim = str(victims[int(case.rng.integers(len(victims)))])
        case.replace(case.victim, (case.finished / case.victim).read_bytes())
        (case.work / case.victim).chmod(0)
        case.ours = checksum_file(case.finished / case.victim).exists()
    else:
        for place in _places(case):
            place.mkdir(parents=True, exist_ok=True)
            for folder in (place, *(path for path in place.rglob("*") if path.is_dir())):
                folder.chmod(0o555)

    @contextmanager
    def attack(case: Case) -> Iterator[None]:
        _give_up_powers()
        yield

    return attack


class _Late(io.FileIO):
    """A file that tells only when it is closed that its bytes found no room, as on network disks."""

    def close(self) -> None:
        if self.closed or not self.writable():
            return super().close()
        os.ftruncate(self.fileno(), os.fstat(self.fileno()).st_size // 2)
        name = self.name
        super().close()
        raise OSError(errno.ENOSPC, "No space left on device", name if isinstance(name, str) else None)


def at_close(case: Case) -> Attack:
    """Fail at the end of writing one of the command's files."""
    skip = int(case.rng.integers(4))
    real = io.open

    @contextmanager
    def attack(case: Case) -> Iterator[None]:
        areas = tuple(str(case.work / area) for area in case.areas)
        opened = 0

        def own(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            nonlocal opened
            name = str(Path(file).absolute()) if isinstance(file, (str, os.PathLike)) else ""
            if "w" not in mode or not name.startswith(areas):
                return real(file, mode, *rest, **options)
            opened += 1
            if opened <= skip:
                return real(file, mode, *rest, **options)
            binary = io.BufferedWriter(_Late(name, "w"))
            text = {key: options[key] for key in ("encoding", "errors", "newline") if key in options}
            return binary if "b" in mode else io.TextIOWrapper(binary, **text)

        with ExitStack() as stack:
            for owner in (io, builtins):
                stack.enter_context(patched(owner, "open", own))
            yield

    return attack


ATTACKS = {each.__name__: each for each in (full, read_only, refused, at_close)}
