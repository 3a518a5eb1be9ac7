"""One case: a copy of the finished folder, one command under attack, and what became of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from ccl.io.formats import read_manifest

LIMIT_S = 300
"""Time of a command, after which it hangs."""

UNTOUCHED = re.compile(r"^(\.snakemake|results/(logs|benchmarks)|results/\.trash|__pycache__)")
"""What is not compared: the notes of Snakemake, and logs."""

OUTPUTS = ("--out", "--manifest")
NO_INPUTS = (*OUTPUTS, "--cohort", "--name", "--model", "--method", "--encoder")
"""Options whose values are no inputs, although a folder may have the same name."""

Attack = Callable[["Case"], AbstractContextManager[None]]
"""What is done to a case while its command runs: entered in the process of the command."""


@dataclass
class Case:
    """A command that is attacked in a folder of its own."""

    finished: Path
    """The folder of the first run."""
    work: Path
    """The copy in which the command runs."""
    command: Sequence[str]
    rng: np.random.Generator
    victim: str = ""
    """The file that is attacked, if it is one."""
    ours: bool = True
    """Whether the command can know that the victim is not what it was."""
    moving: bool = False
    """Whether the victim is changed while the command runs."""
    before: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The state of the folder before the command."""

    @property
    def stage(self) -> str:
        """The sub-command."""
        return self.command[1]

    @property
    def outputs(self) -> list[Path]:
        """The files and folders that the command writes, relative to the folder."""
        return [Path(word) for option, word in pairwise(self.command) if option in OUTPUTS]

    @property
    def areas(self) -> tuple[str, ...]:
        """The folders in which the command may write."""
        found = [str(path if (self.finished / path).is_dir() else path.parent) for path in self.outputs]
        return tuple(f"{path}/" for path in found)

    def inputs(self) -> list[Path]:
        """Return the files that the command names, those in folders that it names, and those that manifests list."""
        words = [Path(word) for option, word in pairwise(self.command) if option not in NO_INPUTS and len(word) < 200]
        files = [path for path in words if (self.finished / path).is_file()]
        for word in words:
            if (self.finished / word).is_dir() and word not in self.outputs:
                files += [path.relative_to(self.finished) for path in _files(self.finished / word)]
        for manifest in [path for path in files if path.suffix == ".tsv" and "manifest" in str(path)]:
            listed = [Path(os.path.normpath(row.path)) for row in read_manifest(self.finished / manifest)]
            files += [path.relative_to(self.finished) for path in listed if path.is_relative_to(self.finished)]
        sheets = [path for path in files if path.name == "slides.csv" and path.parts[0] != "results"]
        for sheet in sheets if self.stage in ("tissue", "tile", "embed", "explain") else ():
            files += [
                path.relative_to(self.finished) for path in (self.finished / sheet.parent / "slides").glob("*.svs")
            ]
        there = [path for path in dict.fromkeys(files) if (self.finished / path).is_file()]
        return sorted(path for path in there if (self.finished / path).stat().st_size and ".sha256" not in path.parts)

    def copy(self) -> None:
        """Make the copy, of links to the files, as all of them are replaced and none is changed in its place."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.finished, self.work, copy_function=os.link, ignore=shutil.ignore_patterns(".snakemake"))

    def clear(self) -> None:
        """Remove what the command made before, so that it reads its inputs; of a slide stage that of two slides."""
        slides = {path.stem for path in self.inputs() if path.suffix in (".svs", ".h5", ".geojson")}
        chosen = {Path(self.victim).stem} & slides
        if slides and self.stage in ("tissue", "tile", "embed"):
            chosen |= set(self.rng.choice(sorted(slides), 1))
            for area in self.areas:
                for path in (self.work / area).glob("*"):
                    if path.stem in chosen and path.is_file():
                        path.unlink()
        for path in self.outputs:
            whole = self.stage not in ("tissue", "tile", "embed") or path.suffix
            for each in [path, path.with_suffix("")] if path.suffix else [path]:
                target = self.work / each
                if target.is_dir() and whole:
                    shutil.rmtree(target)
                elif target.is_file():
                    target.unlink()

    def replace(self, path: str | Path, content: bytes) -> None:
        """Give a file of the copy another content, without changing that of the first run."""
        target = self.work / path
        target.unlink(missing_ok=True)
        target.write_bytes(content)

    def state(self) -> dict[str, tuple[int, ...]]:
        """Return what tells whether a file was written."""
        found = {}
        for path in _files(self.work):
            about, name = path.lstat(), str(path.relative_to(self.work))
            if not UNTOUCHED.match(name):
                found[name] = (about.st_ino, about.st_size, about.st_mtime_ns)
        return found

    def differing(self, volatile: Sequence[str] = ()) -> list[str]:
        """Return the command's files that are not those of the first run, or are missing."""
        found = []
        for path in _files(self.finished):
            name = str(path.relative_to(self.finished))
            if name.startswith(self.areas) and name not in (*volatile, self.victim) and ".sha256" not in name:
                mine = self.work / name
                if not mine.is_file() or not (mine.samefile(path) or content(mine) == content(path)):
                    found.append(name)
        return found

    def elsewhere(self) -> list[str]:
        """Return the files outside of the command's folders that were written or removed."""
        after = self.state()
        changed = {name for name in {*self.before, *after} if self.before.get(name) != after.get(name)}
        changed -= {self.victim} if self.moving else set()
        return sorted(name for name in changed if not name.startswith(self.areas))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def content(path: Path) -> str:
    """Return a digest of a file, without the times and the state of the code in it."""
    data = path.read_bytes()
    if path.suffix == ".html":
        data = re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d UTC|, commit [0-9a-f]{40}[^<]*", b"", data)
    if path.suffix == ".json":
        data = re.sub(rb'"(seconds|peak)[^,}]*', b"", data)
    return hashlib.sha256(data).hexdigest()


def no_attack(case: Case) -> AbstractContextManager[None]:
    """Leave a command alone."""
    return nullcontext()


def call(case: Case, log: Path, attack: Attack = no_attack, during: Callable[[], None] | None = None) -> int | None:
    """Run the case's command in a copy of this process; return its exit code, or None if it hangs.

    A copied process has everything imported, so it takes milliseconds to start.

    Parameters
    ----------
    during : callable, optional
        Called here while the command runs.
    """
    child = os.fork()
    if not child:
        os._exit(_child(case, log, attack))
    if during:
        during()
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _child(case: Case, log: Path, attack: Attack) -> int:
    from ccl.cli import main

    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(case.work)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = list(case.command)
    code = 1
    try:
        with attack(case):
            main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def judge(case: Case, code: int | None, log: Path, volatile: Sequence[str] = (), *, may_die: bool = False) -> str:
    """Return the class of a case whose command has ended."""
    text = log.read_text(errors="replace")
    if code is None:
        return "hang"
    if "Traceback (most recent call last)" in text:
        return "traceback"
    if code < 0:
        return "killed" if may_die else "traceback"
    if case.elsewhere():
        return "changed elsewhere"
    if code:
        return "own error" if re.search(r"(error|Error|Usage): |problem", text) else "traceback"
    if case.stage == "verify" and case.victim:
        return "silent wrong" if case.ours else "success"
    if not case.differing(volatile):
        return "success"
    return "silent wrong" if case.ours else "other input"


def volatile_files(case: Case, folder: Path) -> list[str]:
    """Return the command's files that differ without an attack, such as those with times in them; noted in `folder`.

    Raises
    ------
    SystemExit
        The command fails without an attack.
    """
    noted = folder / "volatile" / f"{hashlib.sha256(' '.join(case.command).encode()).hexdigest()[:16]}.json"
    if not noted.exists():
        log = folder / f"control{os.getpid()}.txt"
        case.copy()
        case.clear()
        case.before = case.state()
        if call(case, log) or case.elsewhere():
            sys.exit(f"{' '.join(case.command)}\n{case.elsewhere()}\n{log.read_text()}")
        noted.parent.mkdir(exist_ok=True)
        noted.write_text(json.dumps(case.differing()))
    return list(json.loads(noted.read_text()))


@contextmanager
def patched(owner: object, name: str, value: object) -> Iterator[None]:
    """Replace an attribute for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
