"""Reading patches ahead of the device, in several threads and across the borders of slides."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.config.sections import Patches
from ccl.io.formats import Tiles
from ccl.io.shards import Job
from ccl.io.sheets import Slide
from ccl.wsi.embed.colours import colour, normaliser
from ccl.wsi.embed.stains import Normaliser
from ccl.wsi.reader.opening import check_outlined, open_slide
from ccl.wsi.reader.patches import PatchCutter

BATCHES_AHEAD = 4
"""Least number of batches being read at any time; a region may reach into the next batch, so two are needed."""

BYTES_AHEAD = 32 << 20
"""Least number of bytes being read per thread: the patches of two and a half regions."""

PATIENCE_S = 5.0
"""After this time without a finished task, the threads are looked at."""

LONGEST_TASK_S = 60.0
"""A slide is closed after this time, even if a task on it is not done; its thread has ended then."""

SLIDES_AHEAD = 4
"""Slides that are opened ahead: opening one takes as long as reading hundreds of patches."""


AS_THEY_ARE = Patches()
"""Patches whose pixels are exactly those of the slide."""


class Batch(NamedTuple):
    """Patches for one forward pass."""

    positions: NDArray[np.intp]
    """(B,) indices of the patches among the slide's tiles."""
    pixels: Tensor
    """uint8 (B, size, size, 3) RGB."""


@dataclass
class _Pending:
    """A batch that threads are filling."""

    batch: Batch
    regions: list[Future[None]] = field(default_factory=list)
    """Tasks that cut the regions with patches of the batch."""


class ReadAhead:
    """Batches of the patches of slides, read by several threads while the device is busy.

    The threads cut regions directly into the batches.  Near the end of a slide they go on with the next slides.  The
    patches of a batch and their order depend only on the slide's tiles.

    Parameters
    ----------
    jobs : sequence of Job
        The slides in the order in which :meth:`batches` will be asked for them.
    batch_size : int
        Patches per batch. All patches of a batch are of one slide, so a slide's features do not depend on other slides.
    threads : int
        Number of regions to decode at a time.
    pin : bool
        Put batches in page-locked memory, from which a GPU copies without waiting.
    patches : Patches
        How patches are decoded and coloured.

    Raises
    ------
    ConfigError
        The target of stain normalisation cannot be used.
    """

    def __init__(
        self, jobs: Sequence[Job], *, batch_size: int, threads: int, pin: bool, patches: Patches = AS_THEY_ARE
    ) -> None:
        self._jobs, self._batch_size, self._threads, self._pin = iter(jobs), batch_size, threads, pin
        self._open = partial(_open, patches=patches, stains=normaliser(patches))
        self._started: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(
            threads, "read ahead", initializer=lambda: self._started.append(threading.current_thread())
        )
        self._slides: deque[_Reading] = deque()
        self._top_up()

    def batches(self, slide: Slide) -> Iterator[Batch]:
        """Yield the batches of a slide.

        Batches that are left from earlier slides, which failed on the device, are dropped.

        Raises
        ------
        Exception
            Any error raised while the slide was read.
        """
        while self._slides[0].slide_id != slide.slide_id:
            self._slides.popleft().close()
            self._top_up()
        reading = self._slides[0]
        self._wait(reading.opened)
        while reading.pending:
            for region in reading.pending[0].regions:
                self._wait(region)
            batch = reading.pending.popleft().batch
            self._top_up()
            yield batch

    def stop(self) -> None:
        """End the threads, even in the middle of a slide."""
        self._pool.shutdown(cancel_futures=True)
        for slide in self._slides:
            slide.close()

    def _wait(self, task: Future[Any]) -> None:
        """Wait until a task is done and raise its error; submit regions of slides that are opened meanwhile."""
        while not task.done():
            openings = [slide.opened for slide in self._slides if not slide.opened.done()]
            self._top_up()
            if not wait([task, *openings], PATIENCE_S, return_when=FIRST_COMPLETED).done:
                self._check_threads()
        self._top_up()
        task.result()

    def _check_threads(self) -> None:
        """Raise MemoryError if a thread has ended: its task will never be done.  Without memory, threads do that."""
        if not all(thread.is_alive() for thread in self._started):
            raise MemoryError("a thread that reads the slide has ended")

    def _top_up(self) -> None:
        """Submit regions to the threads, slide after slide, until enough patches are being read."""
        for place in itertools.count():
            for job in itertools.islice(self._jobs, max(0, place + 1 + SLIDES_AHEAD - len(self._slides))):
                opened = self._pool.submit(self._open, job)
                self._slides.append(_Reading(job, opened, self._pool, batch_size=self._batch_size, pin=self._pin))
            if place == len(self._slides) or not self._slides[place].opened.done():
                return
            while not self._enough():
                if not self._slides[place].submit():
                    break
            else:
                return

    def _enough(self) -> bool:
        sizes = [pending.batch.pixels.nbytes for slide in self._slides for pending in slide.pending]
        return len(sizes) >= BATCHES_AHEAD and sum(sizes) >= BYTES_AHEAD * self._threads


class _Reading:
    """A slide that is being read: opened by a thread of the pool, then cut region by region."""

    def __init__(
        self, job: Job, opened: Future[PatchCutter], pool: ThreadPoolExecutor, *, batch_size: int, pin: bool
    ) -> None:
        self.slide_id = job.slide.slide_id
        self.opened = opened
        self.pending: deque[_Pending] = deque()
        """Batches in order; all but the last have all their regions."""
        self._pool, self._batch_size, self._pin = pool, batch_size, pin
        self._submissions = self._submitted()

    def submit(self) -> bool:
        """Submit the next region of the opened slide to the threads; return False if there is none left."""
        return next(self._submissions, False)

    def close(self) -> None:
        """Close the slide, even if it was not read completely."""
        tasks: list[Future[Any]] = [region for pending in self.pending for region in pending.regions]
        wait([task for task in (*tasks, self.opened) if not task.cancel()], LONGEST_TASK_S)
        if self.opened.done() and not self.opened.cancelled() and self.opened.exception() is None:
            self.opened.result().reader.close()

    def _submitted(self) -> Iterator[bool]:
        if self.opened.exception() is not None:
            return  # the error is raised when the slide's batches are asked for
        cutter = self.opened.result()
        places = self._places(cutter)
        for region in cutter.regions:
            batches, into = zip(*itertools.islice(places, len(region)), strict=True)
            task = self._pool.submit(cutter.cut, region, into)
            for pending in {id(pending): pending for pending in batches}.values():
                pending.regions.append(task)
            yield True

    def _places(self, cutter: PatchCutter) -> Iterator[tuple[_Pending, NDArray[np.uint8]]]:
        """Yield for each patch, in the order of the regions, its batch and the array that it is cut into."""
        order = np.concatenate(cutter.regions) if cutter.regions else np.empty(0, np.intp)
        for start in range(0, len(order), self._batch_size):
            positions = order[start : start + self._batch_size]
            shape = (len(positions), cutter.size_px, cutter.size_px, 3)
            pending = _Pending(Batch(positions, torch.empty(shape, dtype=torch.uint8, pin_memory=self._pin)))
            self.pending.append(pending)
            yield from ((pending, patch) for patch in pending.batch.pixels.numpy())


def _open(job: Job, patches: Patches, stains: Normaliser | None) -> PatchCutter:
    assert job.upstream is not None, "embed follows tile"
    tiles = Tiles.read(job.upstream.path, key=job.upstream.key)
    check_outlined(job.slide, str(tiles.attributes.get("slide_fingerprint", "")))
    reader = open_slide(job.slide, halve=patches.decode == "half")
    try:
        cutter = PatchCutter(reader, tiles, int(tiles.attributes["patch_size"]))
        colour(cutter, stains, srgb=patches.profile == "srgb")
        return cutter
    except Exception:
        reader.close()
        raise
