"""The download stage: the files of a shard, several at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccl.config.cohort_sections import DownloadSettings
from ccl.io.errors import InputError, StageError
from ccl.io.files import digest, existing, read_json, write_json
from ccl.io.formats import ManifestRow
from ccl.io.gdc import GdcFile
from ccl.io.shards import Job, SlideStage
from ccl.io.sheets import Slide
from ccl.wsi.download import VERSION
from ccl.wsi.download.fetch import Server, missing_bytes

GB = 1e9


@dataclass
class DownloadStage(SlideStage):
    """The ``download`` stage of :func:`ccl.io.shards.run_shard`.

    Parameters
    ----------
    out : Path
        Folder of the records of files that were checked.
    settings : DownloadSettings
        The server, and how often it is asked.
    slides : sequence of Slide
        All slides of the cohort; there must be room for all that are missing.
    files : mapping
        The file of each slide that the manifest lists.  Other slides are not downloaded.
    """

    out: Path
    settings: DownloadSettings
    slides: Sequence[Slide]
    files: Mapping[str, GdcFile]
    connections: int = 1
    name: str = field(default="download", init=False)
    _running: Mapping[str, Future[None]] = field(default_factory=dict, init=False)

    def output(self, slide: Slide) -> Path:
        """Return the slide's own file."""
        return slide.path

    def key(self, slide: Slide, upstream: ManifestRow | None) -> str:
        """Return the digest of what the manifest says of the file."""
        file = self.files.get(slide.slide_id)
        return digest("download", VERSION, [file.id, file.md5, file.size] if file else None)

    def facts(self) -> dict[str, Any]:
        """Return ``version`` and the server, for the record of the origin."""
        return {"version": VERSION, "settings": {"server": self.settings.server}}

    def stored(self, slide: Slide) -> tuple[str, int] | None:
        """Return the key and the size of a file that was checked before, and has its size still."""
        file = self.files.get(slide.slide_id)
        if file is None:
            return self.key(slide, None), 0
        record = self._record(slide)
        if not record.exists() or not slide.path.exists() or slide.path.stat().st_size != file.size:
            return None
        return str(read_json(record, required=("key",), todo="delete it, and run again")["key"]), file.size

    def make(self, slide: Slide, upstream: ManifestRow | None, key: str) -> int:
        """Wait for a file to be downloaded and checked, and return its size.

        Raises
        ------
        SlideError
            See :meth:`Server.fetch`.
        """
        file = self.files[slide.slide_id]
        self._running[slide.slide_id].result()
        write_json(self._record(slide), {"key": key, "id": file.id, "md5": file.md5, "size": file.size})
        return file.size

    @contextmanager
    def session(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Download the files of `jobs` in threads; if the stage ends early, their bytes stay for the next time.

        Raises
        ------
        StageError
            The disk has no room for what the cohort lacks.
        InputError
            The file of the token cannot be used.
        """
        check_space([(self.files[slide.slide_id], slide.path) for slide in self.slides if slide.slide_id in self.files])
        server = Server(self.settings.server, read_token(self.settings.token), self.settings.retries)
        with ThreadPoolExecutor(self.connections) as pool:
            self._running = {
                job.slide.slide_id: pool.submit(server.fetch, self.files[job.slide.slide_id], job.slide.path)
                for job in jobs
            }
            try:
                yield
            finally:
                server.stop.set()
                pool.shutdown(cancel_futures=True)

    def _record(self, slide: Slide) -> Path:
        return self.out / f"{slide.slide_id}.json"


def check_space(files: Sequence[tuple[GdcFile, Path]]) -> None:
    """Raise StageError if a disk has no room for the files that are missing on it.

    Parameters
    ----------
    files : sequence of (GdcFile, Path)
        Files and where they go.
    """
    needed: dict[int, int] = {}
    places: dict[int, Path] = {}
    for file, path in files:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        disk = folder.stat().st_dev
        needed[disk] = needed.get(disk, 0) + missing_bytes(file, path)
        places.setdefault(disk, folder)
    for disk, place in places.items():
        free = shutil.disk_usage(place).free
        if needed[disk] > free:
            raise StageError(
                "download: the disk has no room for the slides that are missing",
                where=str(place),
                found=f"{free / GB:.1f} GB free",
                expected=f"{needed[disk] / GB:.1f} GB, by the sizes in the manifest",
                todo="free some space, link the folder to another disk, or make the sheet with fewer slides",
            )


def read_token(path: str | None) -> str | None:
    """Read the token of controlled access.

    Raises
    ------
    InputError
        There is no such file, or it does not hold one line.  The message does not show its content.
    """
    if path is None:
        return None
    text = existing(Path(path)).read_text(encoding="utf-8", errors="replace").strip()
    if not text.isascii() or len(text.split()) != 1:
        raise InputError(
            "not a token",
            where=path,
            found="an empty file" if not text else "several words, or characters that a token does not have",
            expected="the file that the GDC portal gives (`Download Token`), one line",
            todo="download the token again",
        )
    return text
