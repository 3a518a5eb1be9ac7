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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.faults.cases import Attack, Case, patched

NOBODY = 65534
CLONE_NEWNS = 0x00020000


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


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
            whole = sum(
                path.stat().st_size + 4096 for path in (case.finished / place.relative_to(case.work)).rglob("*")
            )
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as aside:
                kept = Path(aside) / "kept"
                shutil.copytree(place, kept)
                _mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", place)
                shutil.copytree(kept, place, dirs_exist_ok=True)
            disk = os.statvfs(place)
            used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            room = int(share * max(0, whole - used))
            _mount("-o", f"remount,size={max(4096, used + room)}", place)
        os.chdir(case.work)
        yield

    return attack


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


def refused(case: Case) -> Attack:
    """Run as a user who may not write the results, or who may not read one input."""
    case.victim = ""
    if case.rng.random() < 0.5:
        victims = case.inputs()
        case.victim = str(victims[int(case.rng.integers(len(victims)))])
        case.replace(case.victim, (case.finished / case.victim).read_bytes())
        (case.work / case.victim).chmod(0)
        subprocess.run(["chown", "-R", str(NOBODY), *map(str, _places(case))], check=False, capture_output=True)

    @contextmanager
    def attack(case: Case) -> Iterator[None]:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
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
