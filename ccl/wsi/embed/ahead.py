"""Reading patches ahead of the device, across the borders of slides."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.io.formats import Tiles
from ccl.io.shards import Job
from ccl.io.sheets import Slide
from ccl.wsi.reader.opening import open_slide
from ccl.wsi.reader.patches import Patches, patches

BATCHES_AHEAD = 4
"""Full batches that wait for the device: enough to cross from one slide to the next without a pause."""


class Batch(NamedTuple):
    """Patches for one forward pass."""

    positions: NDArray[np.intp]
    """(B,) where they stand among the slide's tiles."""
    pixels: Tensor
    """uint8 (B, size, size, 3) RGB."""


@dataclass(frozen=True)
class _Read:
    """What the reading thread hands over: a batch of a slide, its end, or what broke on it."""

    slide_id: str
    batch: Batch | None = None
    error: Exception | None = None


class ReadAhead:
    """Batches of the patches of slides, read by a thread of its own while the device is busy.

    Parameters
    ----------
    jobs : sequence of Job
        The slides in the order in which :meth:`batches` will be asked for them.
    batch_size : int
        Patches of a batch; no batch holds patches of two slides, so that a slide's features depend on it alone.
    threads : int
        Regions to decode at a time.
    pin : bool
        Put batches in page-locked memory, from which a GPU copies without waiting.
    """

    def __init__(self, jobs: Sequence[Job], *, batch_size: int, threads: int, pin: bool) -> None:
        self._jobs, self._batch_size, self._threads, self._pin = jobs, batch_size, threads, pin
        self._queue: queue.Queue[_Read] = queue.Queue(BATCHES_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="read ahead", daemon=True)
        self._thread.start()

    def batches(self, slide: Slide) -> Iterator[Batch]:
        """Yield the batches of a slide.

        What is left of slides before it, which broke on the device, is thrown away.

        Raises
        ------
        Exception
            What broke while the slide was read.
        """
        while True:
            read = self._queue.get()
            if read.slide_id != slide.slide_id:
                continue
            if read.error is not None:
                raise read.error
            if read.batch is None:
                return
            yield read.batch

    def stop(self) -> None:
        """End the thread, also in the middle of a slide."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _read(self) -> None:
        for slide, upstream, _ in self._jobs:
            error = None
            try:
                assert upstream is not None, "embed follows tile"
                tiles = Tiles.read(upstream.path)
                with open_slide(slide) as reader:
                    size_px = int(tiles.attributes["patch_size"])
                    blocks = patches(reader, tiles, size_px, threads=self._threads)
                    for batch in _batches(blocks, self._batch_size):
                        if self._stopped.is_set():
                            return
                        pixels = torch.from_numpy(batch.pixels)
                        pixels = pixels.pin_memory() if self._pin else pixels
                        self._queue.put(_Read(slide.slide_id, Batch(batch.positions, pixels)))
            except Exception as broken:  # it belongs to this slide, which the consumer declares bad
                error = broken
            self._queue.put(_Read(slide.slide_id, error=error))
            if self._stopped.is_set():
                return


def _batches(blocks: Iterable[Patches], batch_size: int) -> Iterator[Patches]:
    """Yield the same patches in their order, `batch_size` at a time."""
    waiting: list[Patches] = []
    for block in blocks:
        waiting.append(block)
        if sum(len(part.positions) for part in waiting) < batch_size:
            continue
        whole = _join(waiting)
        full = len(whole.positions) // batch_size * batch_size
        for start in range(0, full, batch_size):
            part = slice(start, start + batch_size)
            yield Patches(whole.positions[part], whole.pixels[part])
        waiting = [Patches(whole.positions[full:], whole.pixels[full:])] if full < len(whole.positions) else []
    if waiting:
        yield _join(waiting)


def _join(parts: Sequence[Patches]) -> Patches:
    if len(parts) == 1:
        return parts[0]
    return Patches(np.concatenate([part.positions for part in parts]), np.concatenate([part.pixels for part in parts]))
