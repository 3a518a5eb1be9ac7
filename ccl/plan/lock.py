"""Snakemake's lock on a folder, which stays when its process is killed.

Snakemake itself cannot tell such a lock from that of a running process.  ccl therefore notes which process holds the
lock, and removes the lock once this process is no longer there.  A lock that was taken on another machine stays.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import psutil

from ccl.io.files import write_json

LOCKS, HOLDER = Path(".snakemake/locks"), Path(".snakemake/ccl-lock.json")
"""Snakemake's folder of locks in the working folder, and ccl's note on who holds them."""


def note_holder() -> None:
    """Note that this process holds the lock of the working folder; called once Snakemake has taken it."""
    if LOCKS.is_dir():
        write_json(HOLDER, {**_place(), **_process(os.getpid()), "locks": _locks()})


def release_stale() -> bool:
    """Remove the lock of the working folder if the process that took it is gone; return whether it was removed.

    The lock stays if it was taken on another machine or in another container, or if nothing is known about it.
    """
    try:
        holder = json.loads(HOLDER.read_text(encoding="utf-8"))
        pid = int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    here = {name: holder.get(name) for name in _place()} == _place()
    if not here or not LOCKS.is_dir() or holder.get("locks") != _locks():
        return False
    if psutil.pid_exists(pid) and _process(pid).get("started") == holder.get("started"):
        return False
    shutil.rmtree(LOCKS, ignore_errors=True)
    return True


def _place() -> dict[str, str]:
    """Return what tells machines and containers apart: a process is known by its number only within one of them."""
    namespace = Path("/proc/self/ns/pid")
    return {"machine": socket.gethostname(), "processes": str(namespace.readlink()) if namespace.exists() else ""}


def _process(pid: int) -> dict[str, Any]:
    """Return the number of a process and when it was started, as numbers are used again."""
    try:
        return {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"pid": pid}


def _locks() -> dict[str, int]:
    """Return each file of the lock with its time, so that the lock of a later process is not taken for this one's."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(LOCKS.iterdir())}
