"""Bags of patches, read from their files while the network works on the patient before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import psutil
import torch
from torch import Tensor

from ccl.io.bags import kind_of, mixed_encoders, read_features
from ccl.io.errors import ConfigError, InputError
from ccl.io.formats import FeaturesHead, ManifestRow

BAGS_AHEAD = 2
"""Bags that are read in advance."""

SHARE_OF_MEMORY = 0.8
"""Bags are kept in memory if they fit into this share of the free memory."""


class Bags:
    """The patches of P patients, N each; three patients are in memory at a time.

    Parameters
    ----------
    rows : sequence of sequences of ManifestRow
        The slides of each patient; a bag is their patches in this order.  Without slides it is empty, (1, 0, 0).
    device : torch.device
        Where the bags are needed.
    keep : bool
        Keep every bag in memory after it was read, in the precision of its file.
    """

    def __init__(self, rows: Sequence[Sequence[ManifestRow]], *, device: torch.device, keep: bool) -> None:
        self._rows, self._device, self._keep = rows, device, keep
        self._kept: dict[int, Tensor] = {}

    def stream(self, order: Iterable[int]) -> Iterator[Tensor]:
        """Yield the bag (1, N, D) float32 of each patient in `order`.

        Raises
        ------
        InputError
            A file is missing or damaged, or holds values that are not finite.
        """
        waiting: deque[Future[Tensor]] = deque()
        with ThreadPoolExecutor(max_workers=1) as reader:
            for number in order:
                waiting.append(reader.submit(self._read, number))
                if len(waiting) > BAGS_AHEAD:
                    yield self._bag(waiting.popleft())
            while waiting:
                yield self._bag(waiting.popleft())

    def _bag(self, read: Future[Tensor]) -> Tensor:
        return read.result().to(self._device).float()[None]

    def _read(self, number: int) -> Tensor:
        if number in self._kept:
            return self._kept[number]
        parts = [_finite(row) for row in self._rows[number]] or [torch.empty(0, 0)]
        bag = parts[0] if len(parts) == 1 else torch.cat(parts)
        if self._keep:
            self._kept[number] = bag
        return bag


def _finite(row: ManifestRow) -> Tensor:
    patches = torch.from_numpy(np.ascontiguousarray(read_features(row).features))
    if not torch.isfinite(patches).all():
        raise InputError(
            f"features that are not finite (slide {row.slide_id})",
            where=str(row.path),
            todo="make the slide's features again, or remove the slide from the sheet",
        )
    return patches


def check_bags(bags: Mapping[str, Sequence[ManifestRow]], *, keep: bool) -> tuple[int, str]:
    """Check by the files' headers that all features are of one kind; return their width and their weights.

    Raises
    ------
    InputError
        Features come from different encoders or weights, or differ in width.
    ConfigError
        All are to be kept in memory but do not fit.
    """
    heads = {row: FeaturesHead.read(row.path) for rows in bags.values() for row in rows}
    first = next(iter(heads.values()))
    for row, head in heads.items():
        kinds = [kind_of(each.encoder, each.dim, each.weights) for each in (first, head)]
        if kinds[0] != kinds[1]:
            raise mixed_encoders(f"{row.path} (slide {row.slide_id})", kinds)
    if keep:
        _check_memory(sum(row.path.stat().st_size for row in heads))
    return first.dim, first.weights


def _check_memory(needed: int) -> None:
    free = psutil.virtual_memory().available
    if needed > SHARE_OF_MEMORY * free:
        raise ConfigError(
            "the cohort's features do not fit into memory",
            where="config, train: bags",
            found=f"{needed / 2**30:.1f} GiB of features, {free / 2**30:.1f} GiB of memory free",
            expected=f"at most {SHARE_OF_MEMORY:.0%} of the free memory",
            todo="set `bags: disk`",
        )
