"""Reading ahead: the same batches whatever the threads, several slides at once, bounded memory, nothing left open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from ccl.io.errors import ChangedError, SlideError
from ccl.io.formats import ManifestRow, Tiles
from ccl.io.shards import Job
from ccl.io.sheets import Slide
from ccl.wsi.embed import ahead as module
from ccl.wsi.embed.ahead import ReadAhead
from ccl.wsi.reader.opening import open_slide
from ccl.wsi.reader.patches import patches
from ccl.wsi.reader.protocol import Level

SIDE, PATCH = 1024, 64
WAIT_S = 60
"""After this time a test that hangs fails."""


def job(folder: Path, name: str, coords: Sequence[tuple[int, int]], *, compression: str = "") -> Job:
    """Return a slide with patches at `coords`, written as a file where there is a compression."""
    if compression:
        pixels = np.random.default_rng(len(coords)).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        tifffile.imwrite(
            folder / f"{name}.tif", pixels, tile=(128, 128), photometric="rgb", compression=compression, metadata=None
        )
    about = {"patch_size": PATCH, "patch_size_level0": PATCH, "level0_mpp": 0.5, "target_mpp": 0.5}
    path = folder / f"{name}.h5"
    Tiles(np.array(coords).reshape(-1, 2), about | {"level0_width": SIDE, "level0_height": SIDE, "name": name}).write(
        path, "tiles"
    )
    row = ManifestRow(name, "ok", path, "tiles", len(coords), "")
    return Job(Slide(name, "P", folder / f"{name}.tif", 0.5), row, "key")


def grid(pitch: int, count: int) -> list[tuple[int, int]]:
    columns = (SIDE - PATCH) // pitch + 1
    return [(place % columns * pitch, place // columns * pitch) for place in range(count)]


class Pretended:
    """A slide without a file; `read` is called for each region."""

    mpp, dimensions, levels = 0.5, (SIDE, SIDE), (Level(SIDE, SIDE, 1.0),)

    def __init__(self, slide: Slide, read: Callable[[str], None]) -> None:
        self.slide_id, self.closed, self.reading = slide.slide_id, False, 0
        self._read = read

    def read_region(self, x: int, y: int, *, width: int, height: int, level: int) -> NDArray[np.uint8]:
        assert not self.closed
        self.reading += 1
        self._read(self.slide_id)
        assert not self.closed, "closed while it was read"
        self.reading -= 1
        return np.zeros((height, width, 3), np.uint8)

    def close(self) -> None:
        assert self.reading == 0
        self.closed = True


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Pretended]]:
    """Return a function that makes slides pretended ones, and lists those opened."""

    def pretend(read: Callable[[str], None] = lambda slide_id: None) -> list[Pretended]:
        opened: list[Pretended] = []

        def open_pretended(slide: Slide, *, halve: bool) -> Pretended:
            opened.append(Pretended(slide, read))
            return opened[-1]

        monkeypatch.setattr(module, "open_slide", open_pretended)
        monkeypatch.setattr(module, "check_outlined", lambda slide, outlined: None)
        return opened

    return pretend


def in_turn(job: Job, batch_size: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """Yield a slide's batches as they are when its regions are read one after the other."""
    assert job.upstream is not None
    with open_slide(job.slide) as reader:
        blocks = list(patches(reader, Tiles.read(job.upstream.path), PATCH))
    positions, pixels = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    for start in range(0, len(positions), batch_size):
        yield positions[start : start + batch_size], pixels[start : start + batch_size]


@pytest.mark.parametrize("compression", ["jpeg", "deflate"])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_are_those_of_reading_in_turn_to_the_byte(tmp_path, monkeypatch, compression, batch_size, threads):
    monkeypatch.setattr("ccl.wsi.reader.patches.REGION_PX", 200)
    # As little ahead as can be, so that regions with more patches than that, of overlapping tiles, are met too.
    monkeypatch.setattr(module, "BYTES_AHEAD", 1)
    monkeypatch.setattr(module, "BATCHES_AHEAD", 2)
    layouts = (grid(64, 100), grid(64, 3), grid(16, 600), grid(70, 1), grid(64, 64))
    jobs = [job(tmp_path, f"S{n}", coords, compression=compression) for n, coords in enumerate(layouts)]
    reading = ReadAhead(jobs, batch_size=batch_size, threads=threads, pin=False)
    for one in jobs:
        found = [(batch.positions, batch.pixels.numpy().copy()) for batch in reading.batches(one.slide)]
        expected = list(in_turn(one, batch_size))
        assert len(found) == len(expected)
        for (positions, pixels), (at, cut) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(positions, at)
            np.testing.assert_array_equal(pixels, cut)
    reading.stop()


def test_several_small_slides_are_read_at_once(tmp_path, pretend):
    together = threading.Barrier(3)
    pretend(lambda slide_id: together.wait(WAIT_S))
    jobs = [job(tmp_path, f"S{number}", grid(64, 5)) for number in range(6)]
    reading = ReadAhead(jobs, batch_size=8, threads=3, pin=False)
    assert sum(len(batch.positions) for one in jobs for batch in reading.batches(one.slide)) == 30
    reading.stop()


def test_what_is_read_ahead_is_bounded_and_so_are_the_slides_that_are_open(tmp_path, pretend, monkeypatch):
    read: list[str] = []
    opened = pretend(read.append)
    monkeypatch.setattr("ccl.wsi.reader.patches.REGION_PX", PATCH)  # a region is a patch
    monkeypatch.setattr(module, "BYTES_AHEAD", 20 * PATCH * PATCH * 3)
    jobs = [job(tmp_path, f"S{number:02}", grid(64, 30)) for number in range(20)]
    reading = ReadAhead(jobs, batch_size=4, threads=1, pin=False)
    taken = 0
    for one in jobs:
        for batch in reading.batches(one.slide):
            taken += len(batch.positions)
            reading._pool.submit(lambda: None).result()  # after all that was asked for until now
            assert 17 <= len(read) - taken <= 23 or len(read) == 600, "20, in whole batches"
            assert sum(not reader.closed for reader in opened) <= 2 + module.SLIDES_AHEAD
    assert (taken, len(read)) == (600, 600)
    reading.stop()
    assert [reader.slide_id for reader in opened] == [one.slide.slide_id for one in jobs]
    assert all(reader.closed for reader in opened)


def test_a_slide_that_cannot_be_opened_or_read_costs_only_itself(tmp_path):
    jobs = [job(tmp_path, f"S{number}", grid(64, 100), compression="jpeg") for number in range(4)]
    jobs[1].slide.path.unlink()
    with tifffile.TiffFile(jobs[2].slide.path) as file:
        start, size = file.pages[0].dataoffsets[9], file.pages[0].databytecounts[9]
    with jobs[2].slide.path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(size))
    reading = ReadAhead(jobs, batch_size=16, threads=2, pin=False)
    counts = {}
    for number, one in enumerate(jobs):
        if number in (1, 2):
            with pytest.raises(ChangedError if number == 1 else SlideError, match=f"slide S{number}"):
                list(reading.batches(one.slide))
        else:
            counts[number] = sum(len(batch.positions) for batch in reading.batches(one.slide))
    assert counts == {0: 100, 3: 100}
    reading.stop()


def test_a_slide_that_is_left_is_closed_once_nothing_reads_it(tmp_path, pretend):
    opened = pretend()
    jobs = [job(tmp_path, f"S{number}", grid(64, 200)) for number in range(3)]
    reading = ReadAhead(jobs, batch_size=4, threads=2, pin=False)
    next(reading.batches(jobs[0].slide))
    assert sum(len(batch.positions) for batch in reading.batches(jobs[2].slide)) == 200
    assert [reader.slide_id for reader in opened if not reader.closed] == ["S2"]
    reading.stop()


def test_stopping_in_the_middle_leaves_no_thread_and_no_open_slide(tmp_path, pretend):
    opened = pretend()
    jobs = [job(tmp_path, f"S{number}", grid(64, 200)) for number in range(10)]
    before = threading.active_count()
    reading = ReadAhead(jobs, batch_size=4, threads=3, pin=False)
    next(reading.batches(jobs[0].slide))
    assert threading.active_count() > before
    reading.stop()
    assert threading.active_count() == before
    assert all(reader.closed for reader in opened)


def test_a_thread_that_ends_without_an_answer_is_a_full_memory_and_no_endless_wait(tmp_path, pretend, monkeypatch):
    pretend()
    monkeypatch.setattr("ccl.wsi.embed.ahead.PATIENCE_S", 0.05)
    monkeypatch.setattr("ccl.wsi.embed.ahead.LONGEST_TASK_S", 0.05)

    def lost(future, result):
        raise MemoryError

    monkeypatch.setattr("concurrent.futures.Future.set_result", lost)
    jobs = [job(tmp_path, "a", grid(64, 2))]
    reading = ReadAhead(jobs, batch_size=4, threads=1, pin=False)
    try:
        with pytest.raises(MemoryError, match="a thread that reads the slide has ended"):
            list(reading.batches(jobs[0].slide))
    finally:
        reading.stop()
