"""A process that gets no more memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.faults.cases import Attack, Case

MOST_BYTES = 120 << 20
"""What a command gets at most beyond what the warm process has."""


def limited(case: Case) -> Attack:
    """Limit the memory of the process."""
    room = int(case.rng.random() ** 2 * MOST_BYTES)

    @contextmanager
    def attack(case: Case) -> Iterator[None]:
        limit = psutil.Process().memory_info().vms + room
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        yield

    return attack
