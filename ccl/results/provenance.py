"""Finding where a result comes from: the records of :mod:`ccl.io.origin`, from a file back to slides and tables."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as checked

from ccl.config.check import strictly
from ccl.io.checksums import checksum_file, digest_now, recorded_checksum
from ccl.io.errors import CclError, DamageError, InputError
from ccl.io.files import digest, read_json
from ccl.io.formats import newest_rows, read_manifest, stored_key
from ccl.io.interop.importing import import_key
from ccl.io.origin import FOLDER
from ccl.io.sheets import Slide
from ccl.pages.numbers import plural
from ccl.wsi.reader.opening import slide_fingerprint
from ccl.wsi.tissue.outlines import stored_outlines

LEVELS = 3
"""Folders above a file in which its record may lie; ``figures/`` of a report is one below."""

State = Literal["same", "changed", "missing"]

STRICT = ConfigDict(extra="ignore")


@checked(frozen=True, config=STRICT)
class Written:
    """An output of a job."""

    file: str
    """Path from the folder of the record."""
    sha256: str


@checked(frozen=True, config=STRICT)
class Read:
    """An input of a job."""

    use: str
    file: str
    sha256: str = ""
    slide: str = ""
    """The fingerprint of a slide, which has no sha256."""


@checked(frozen=True, config=STRICT)
class Origin:
    """A record of :func:`ccl.io.origin.record`."""

    stage: str
    version: int
    settings: Mapping[str, Any]
    outputs: Sequence[Written]
    inputs: Sequence[Read]
    code: Mapping[str, Any]
    folder: Mapping[str, Any]
    packages: Mapping[str, str]
    machine: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, Any]:
        """The code, the packages and the machine, which most jobs of a run have in common."""
        return {"code": self.code, "folder": self.folder, "packages": self.packages, "machine": self.machine}


@dataclass(frozen=True)
class Source:
    """A file that a job read, as it is now."""

    use: str
    path: Path
    digest: str
    """The sha256, or the fingerprint of a slide, when the job read it."""
    state: State
    kind: Literal["recorded", "not recorded", "given"]
    """Made by a job with a record; made by a version of ccl without records; given by the user."""


@dataclass(frozen=True)
class Job:
    """A step of the chain."""

    origin: Origin
    folder: Path
    sources: Sequence[Source]
    slides: int = 0
    """Slides that the manifest among its outputs lists, if there is one."""

    @property
    def outputs(self) -> dict[Path, str]:
        """Its outputs with their sha256."""
        return {_plain(self.folder / each.file): each.sha256 for each in self.origin.outputs}

    @cached_property
    def key(self) -> str:
        """A digest of the record."""
        outputs = [(each.file, each.sha256) for each in self.origin.outputs]
        inputs = [(each.use, each.sha256 or each.slide) for each in self.origin.inputs]
        return digest(self.origin.stage, outputs, inputs)


@dataclass
class Chain:
    """Where a file comes from."""

    target: Path
    jobs: list[Job] = field(default_factory=list)
    """The job that made the file first, then those that made its inputs, and so on."""
    broken: list[str] = field(default_factory=list)
    """What no longer is as the jobs read it."""
    unknown: list[Path] = field(default_factory=list)
    """Files of ccl without a record, which an older version made."""

    @property
    def files(self) -> dict[Path, Source]:
        """All files that the jobs read."""
        return {source.path: source for job in self.jobs for source in job.sources}


def trace(target: Path, *, data: Sequence[Path] = ()) -> Chain:
    """Return the chain of a file.

    Parameters
    ----------
    target : Path
        A result: a figure, table, evaluation, prediction, bundle, page, or a file of any stage.
    data : sequence of Path
        Folders in which files are looked for that are no longer where they were, by name and content.

    Raises
    ------
    InputError
        There is no such file.
    """
    if not target.is_file():
        raise InputError("no such file", where=str(target), expected="a file of results", todo="correct the path")
    chain, records = Chain(target), _Records()
    waiting, seen = deque([_plain(target)]), {_plain(target)}
    while waiting:
        path = waiting.popleft()
        try:
            found = records.of(path)
        except CclError as error:
            chain.broken.append(f"{path}: {error.line}")
            continue
        if found is None:
            chain.unknown.append(path)
            if (fault := _changed(path, recorded_checksum(path))) and path == _plain(target):
                chain.broken.append(f"{path}: {fault}")
            continue
        origin, folder = found
        job = Job(origin, folder, [_source(each, folder, data, records) for each in origin.inputs])
        if any(job.key == other.key and job.folder == other.folder for other in chain.jobs):
            continue
        slides, faults = _listed(job)
        chain.jobs.append(Job(origin, folder, job.sources, slides))
        chain.broken += [
            f"{path}: {fault}" for path, sha256 in job.outputs.items() if (fault := _changed(path, sha256))
        ]
        chain.broken += [f"{each.path}: {WORDS[each.state]}" for each in job.sources if each.state != "same"] + faults
        following = [each.path for each in job.sources if each.kind != "given" and each.state != "missing"]
        waiting += [path for path in following if path not in seen]
        seen.update(following)
    chain.broken = list(dict.fromkeys(chain.broken))
    return chain


WORDS: Mapping[State, str] = {
    "same": "as it was read",
    "changed": "changed since it was read",
    "missing": "missing",
}


class _Records:
    """The records of folders, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[Path, Origin]] = {}

    def of(self, path: Path) -> tuple[Origin, Path] | None:
        """Return the record of a file, and its folder; None if there is none."""
        for folder in list(path.parents)[:LEVELS]:
            if (origin := self._in(folder).get(path)) is not None:
                return origin, folder
        for stage in list(path.parents)[:1]:
            manifests = sorted((stage / "manifests").glob("[!.]*.tsv"))
            for row, manifest in newest_rows(manifests).values() if manifests else ():
                if _plain(row.path) == path:
                    return self.of(_plain(manifest))
        return None

    def _in(self, folder: Path) -> dict[Path, Origin]:
        """Return the records in a folder by output."""
        if folder not in self._known:
            self._known[folder] = {
                _plain(folder / written.file): origin
                for record in sorted((folder / FOLDER).glob("*.json"))
                for origin in [_read(record)]
                for written in origin.outputs
            }
        return self._known[folder]


def _read(record: Path) -> Origin:
    try:
        return strictly(Origin, read_json(record, required=("stage", "outputs", "inputs")))
    except ValidationError as error:
        first = error.errors()[0]
        raise DamageError(
            "a record of the origin of files is damaged",
            where=str(record),
            found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            expected="the entries that docs/formats.md lists",
            todo="run the stage again",
        ) from error


def _source(read: Read, folder: Path, data: Sequence[Path], records: _Records) -> Source:
    path = _plain(folder / read.file)
    state = _state(path, read)
    for candidate in _elsewhere(path, data) if state == "missing" else ():
        if _state(candidate, read) == "same":
            path, state = candidate, "same"
            break
    return Source(read.use, path, read.sha256 or read.slide, state, _kind(path, records))


def _kind(path: Path, records: _Records) -> Literal["recorded", "not recorded", "given"]:
    try:
        if records.of(path) is not None:
            return "recorded"
    except CclError:
        return "recorded"
    return "not recorded" if checksum_file(path).is_file() else "given"


def _elsewhere(path: Path, data: Sequence[Path]) -> Iterator[Path]:
    return (found for folder in data for found in sorted(folder.rglob(path.name)))


def _state(path: Path, read: Read) -> State:
    """Compare a file with what a job read; only regular files are opened, as a record of others may name any path."""
    if read.slide:
        try:
            return "same" if slide_fingerprint(Slide("", "", path, None)) == read.slide else "changed"
        except (CclError, OSError):
            return "missing"
    if not path.is_file():
        return "missing"
    return "same" if digest_now(path) == read.sha256 else "changed"


def _changed(path: Path, sha256: str | None) -> str:
    """Return what is wrong with a file that was written with this digest, or an empty text."""
    if not path.is_file():
        return "missing"
    return "changed since it was written" if sha256 and digest_now(path) != sha256 else ""


def _listed(job: Job) -> tuple[int, list[str]]:
    """Return the number of slides in the manifests that a job wrote, and which of their files are not those listed.

    The keys are compared; ``ccl verify`` compares the content.
    """
    paths = [path for path in job.outputs if path.suffix == ".tsv" and path.is_file()]
    try:
        rows = [row for path in paths for row in read_manifest(path) if row.status == "ok"]
    except CclError as error:
        return 0, [f"{paths[0]}: {error.line}"]
    faults = []
    for row in rows:
        path = _plain(row.path)
        if not path.is_file():
            faults.append(f"{path}: missing")
        elif job.origin.stage != "download" and row.key not in _keys(path):
            faults.append(f"{path}: not the file that the manifest lists")
    return len(rows), faults


def _keys(path: Path) -> Iterator[str | None]:
    """Yield the keys under which a manifest may list a file."""
    if path.suffix == ".geojson":
        yield (stored_outlines(path) or ("", 0))[0]
    else:
        yield stored_key(path)
        yield import_key(path)


def _plain(path: Path) -> Path:
    """Return an absolute path without ``..``; links stay, as paths in records are relative to where a file lies."""
    return Path(os.path.normpath(path.absolute()))


def lines(chain: Chain) -> Iterator[str]:
    """Yield the chain as text for a terminal, without characters that would control it."""
    environments: list[dict[str, Any]] = []
    for job in chain.jobs:
        if job.origin.environment not in environments:
            environments.append(job.origin.environment)
        letter = _letter(environments.index(job.origin.environment))
        yield _clean(
            ", ".join(_here(path) for path in list(job.outputs)[:3]) + (", ..." if len(job.outputs) > 3 else "")
        )
        made = f"  made by {job.origin.stage} (version {job.origin.version}) in environment {letter}"
        yield _clean(made + (f", {plural(job.slides, 'slide')}" if job.slides else ""))
        if job.origin.settings:
            yield _clean(f"  settings: {json.dumps(job.origin.settings)}")
        for source in job.sources:
            yield _clean(f"  read {source.use}: {_here(source.path)} ({_about(source)})")
    for number, environment in enumerate(environments):
        yield from (_clean(line) for line in _described(_letter(number), environment))
    for path in chain.unknown:
        yield _clean(f"not recorded: {_here(path)} (an older version of ccl made it)")
    for fault in chain.broken:
        yield _clean(f"BROKEN: {fault}")
    state = "broken" if chain.broken else "whole, as far as it is recorded" if chain.unknown else "whole"
    yield f"the chain is {state}: {plural(len(chain.jobs), 'job')}, {plural(len(chain.files), 'file')} read"


def _about(source: Source) -> str:
    kinds = {"recorded": "", "not recorded": ", not recorded", "given": ", yours"}
    return f"{source.digest[:12]}, {WORDS[source.state]}{kinds[source.kind]}"


def _letter(number: int) -> str:
    """Return A, B, ... for the first environments.

    >>> _letter(0), _letter(27)
    ('A', 'A1')
    """
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


def _described(letter: str, environment: Mapping[str, Any]) -> Iterator[str]:
    code, folder, machine = environment["code"], environment["folder"], environment["machine"]
    yield f"environment {letter}"
    yield f"  ccl {code.get('ccl')}, {_commit(code.get('git'))}; working folder: {_commit(folder.get('git'))}"
    yield f"  machine: {', '.join(f'{name} {value}' for name, value in machine.items())}"
    yield f"  packages: {', '.join(f'{name} {number}' for name, number in environment['packages'].items())}"


def _commit(state: Any) -> str:
    if not isinstance(state, dict):
        return "not in git"
    return f"commit {state.get('commit')}" + (" with uncommitted changes" if state.get("changed") else "")


def _here(path: Path) -> str:
    """Return a path from the working folder."""
    return os.path.relpath(path)


def _clean(line: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
