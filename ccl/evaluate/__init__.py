"""Stage ``evaluate``: the folds of one method, judged under both protocols.

``last``
    Each fold and seed is judged after its last epoch.  No choice is made on test data.
``best-on-test``
    Each fold and seed is judged after the epoch with the highest C-index on its own test patients (the later
    one of a tie).  The choice sees the answer, so the numbers are optimistic; they are for comparison with
    publications that report this way, and every file and figure says which protocol it shows.
"""

from __future__ import annotations

from typing import Literal, get_args

VERSION = 2
"""Bumped when the stage's output changes for the same input."""

Protocol = Literal["last", "best-on-test"]

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
