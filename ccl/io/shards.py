"""Slide stages: each process takes a fixed share of the slides and writes one file per slide.

This module holds what ``tissue``, ``tile`` and ``embed`` have in common.
A slide belongs to shard ``crc32(slide_id) % shards``, so adding slides does not move others.  Each slide's file
stores the key of everything that went into it; a slide whose stored key matches is not made again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from ccl.io.checksums import MEND
from ccl.io.errors import (
    FULL,
    CclError,
    ChangedError,
    ConfigError,
    DamageError,
    MachineError,
    StageError,
    machine_error,
)
from ccl.io.formats import ManifestRow, read_manifest, write_manifest
from ccl.io.origin import record
from ccl.io.progress import progress
from ccl.io.sheets import OnBadSlide, Slide

T = TypeVar("T")

TODO = {
    "failed": "fix or remove these slides and run again (only they are repeated), "
    "or set `on_bad_slide: exclude` to go on without them",
    "changed": "put the slides back, or run again with `--forcerun tissue` if they were replaced",
    "damaged": MEND,
    "machine": "run again once the machine is well; no slide is to blame",
}
"""What to do about slides that were not made, by the status of their rows; only ``failed`` ones can be excluded."""

MOST_NAMED = 5
"""Slides that an error about all of them names."""


class Job(NamedTuple):
    """A slide that a stage has to make."""

    slide: Slide
    upstream: ManifestRow | None
    """Its row in the manifest of the previous stage, if there is one."""
    key: str
    """Digest of all that the output will depend on."""


class SlideStage(Protocol):
    """The work of a slide stage on one slide."""

    name: str

    def output(self, slide: Slide) -> Path:
        """Return the file that the stage makes for the slide."""
        ...

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        """Return the digest of all that the output depends on: inputs, settings, version, weights."""
        ...

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        """Return the key and count stored in a complete output, or None if there is none."""
        ...

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        """Make the output atomically, and return its count; raise to declare the slide bad."""
        ...

    def session(self, jobs: Sequence[Job]) -> AbstractContextManager[object]:
        """Return the context in which `jobs` are made in order; a stage may read ahead in it."""
        return nullcontext()

    def facts(self) -> dict[str, Any]:
        """Return ``version`` and ``settings``, for the record of the origin."""
        ...

    def sources(self, slides: Sequence[Slide]) -> dict[Path, str]:
        """Return the slides that no earlier stage has read, with their fingerprints, for the record of the origin."""
        return {}


@dataclass(frozen=True)
class Shard:
    """The slides of one process, and the options of the run."""

    slides: Sequence[Slide]
    upstream: Path | None
    """The same shard's manifest of the previous stage, if there is one."""
    manifest: Path
    """Written last, and only when the shard is done."""
    on_bad_slide: OnBadSlide = "fail"
    overwrite: bool = False
    """Make every slide again, even if its stored key matches."""
    cohort: Sequence[str] = ()
    """The slides of all shards; if they are given and none of them is left, that is an error."""
    shards: int | None = None
    """Number of shards, if it is known; manifests of higher numbers are from an earlier run, and are removed."""


def run_shard(stage: SlideStage, shard: Shard) -> list[ManifestRow]:
    """Bring every slide of a shard up to date and write its manifest.

    A bad slide never stops the others.  With ``on_bad_slide="exclude"`` the manifest records the reason and
    the cohort goes on without the slide; with ``"fail"`` no manifest is written and a :class:`StageError`
    names every bad slide, so the next call repeats only those.  What is no slide's own fault fails in any case:
    a slide that is gone or was replaced since an earlier stage read it, a damaged file of that stage, a full memory, a
    file that the system does not let read, and a cohort of which no slide is left.

    Raises
    ------
    StageError
        As above.
    ConfigError
        A setting is wrong, which concerns all slides.
    MachineError
        Nothing can be written, which concerns all slides.

    Returns
    -------
    list of ManifestRow
        One row per slide, those excluded by an earlier stage included.
    """
    before: Mapping[str, ManifestRow] = (
        {row.slide_id: row for row in read_manifest(shard.upstream)} if shard.upstream else {}
    )
    planned = [_plan(stage, slide, before.get(slide.slide_id), shard) for slide in shard.slides]
    with stage.session([job for job in planned if isinstance(job, Job)]):
        rows = [
            _made(stage, job) if isinstance(job, Job) else job for job in progress(planned, stage.name, unit="slide")
        ]
    bad = [row for row in rows if row.status in TODO]
    innocent = [row for row in bad if row.status != "failed"]
    if innocent or (bad and shard.on_bad_slide == "fail"):
        raise StageError(
            f"{stage.name}: {len(bad)} of {len(rows)} slides failed, all others are done",
            found="".join(f"\n    {row.slide_id}: {row.message}" for row in bad),
            todo=TODO[min((row.status for row in innocent), default="failed")],
        )
    rows = [_excluded(stage, row) if row.status == "failed" else row for row in rows]
    others = _other_rows(shard)
    _check_some_left(stage, shard, [*rows, *others])
    write_manifest(shard.manifest, rows)
    used = {row.slide_id for row in rows if row.status == "ok"}
    record(
        stage.name,
        outputs=[shard.manifest],
        inputs={"manifest": shard.upstream},
        slides=stage.sources([slide for slide in shard.slides if slide.slide_id in used]),
        **stage.facts(),
    )
    return rows


def _other_rows(shard: Shard) -> list[ManifestRow]:
    """Return the rows of the other shards that are done; remove manifests of an earlier number of shards."""
    manifests = [path for path in shard.manifest.parent.glob("[!.]*.tsv") if path != shard.manifest]
    for path in list(manifests):
        if shard.shards is not None and path.stem.isdigit() and int(path.stem) >= shard.shards:
            path.unlink(missing_ok=True)
            manifests.remove(path)
    return [row for path in manifests for row in read_manifest(path)]


def _check_some_left(stage: SlideStage, shard: Shard, rows: Sequence[ManifestRow]) -> None:
    """Raise :class:`StageError` if all shards are done and no slide of the cohort is left."""
    done = {row.slide_id: row for row in rows}
    if shard.cohort and done.keys() >= set(shard.cohort) and not any(row.status == "ok" for row in rows):
        few = [f"\n    {name}: {done[name].message}" for name in shard.cohort[:MOST_NAMED]]
        raise StageError(
            f"{stage.name}: all {len(shard.cohort)} slides of the cohort are excluded",
            found="".join(few) + ("\n    ..." if len(shard.cohort) > len(few) else ""),
            expected="at least one slide that can be used",
            todo="look for what these slides have in common",
        )


def _plan(stage: SlideStage, slide: Slide, upstream: ManifestRow | None, shard: Shard) -> Job | ManifestRow:
    """Return the job that a slide needs, or its row if there is nothing to do."""
    if upstream is not None and upstream.status == "excluded":
        return ManifestRow(slide.slide_id, "excluded", upstream.path, "", 0, upstream.message)

    def plan() -> Job | ManifestRow:
        if shard.upstream and upstream is None:
            raise ChangedError(
                "the sample sheet has a slide that the manifest of the previous stage does not list",
                where=f"slide {slide.slide_id}, {shard.upstream}",
                todo="run the previous stage again with this sheet, or correct the slide's name",
            )
        key = stage.key(slide, upstream)
        stored = None if shard.overwrite else stage.stored(slide)
        if stored and stored[0] == key:
            return ManifestRow(slide.slide_id, "ok", stage.output(slide), key, stored[1], "")
        return Job(slide, upstream, key)

    return _guarded(stage, slide, plan)


def _made(stage: SlideStage, job: Job) -> ManifestRow:
    def make() -> ManifestRow:
        count = stage.make(*job)
        return ManifestRow(job.slide.slide_id, "ok", stage.output(job.slide), job.key, count, "")

    return _guarded(stage, job.slide, make)


def _guarded(stage: SlideStage, slide: Slide, work: Callable[[], T]) -> T | ManifestRow:
    """Return the result of `work`, or the row of a bad slide, so one bad slide does not stop the others."""
    try:
        return work()
    except (ConfigError, MachineError):
        raise  # it concerns all slides
    except ChangedError as error:
        status, message = "changed", error.line
    except DamageError as error:
        status, message = "damaged", error.line
    except CclError as error:
        status, message = "failed", error.line
    except Exception as error:
        if failure := machine_error(error, where=f"slide {slide.slide_id}, {slide.path}"):
            if isinstance(error, OSError) and error.errno in FULL:
                raise failure from error  # it concerns all slides
            status, message = "machine", failure.line
        else:
            traceback.print_exc()
            status, message = "failed", f"{type(error).__name__}: {error}"
    return ManifestRow(slide.slide_id, status, stage.output(slide), "", 0, message)


def _excluded(stage: SlideStage, row: ManifestRow) -> ManifestRow:
    return ManifestRow(row.slide_id, "excluded", row.path, "", 0, f"{stage.name}: {row.message}")
