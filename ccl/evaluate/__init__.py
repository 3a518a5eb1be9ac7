"""Stage ``evaluate``: the folds of one method, judged under each protocol.

``last``
    Each fold and seed is judged after its last epoch.  No choice is made on test data.
``best-on-test``
    Each fold and seed is judged after the epoch with the highest C-index on its own test patients (the later
    one of a tie).  The choice sees the answer, so the numbers are optimistic; they are for comparison with
    publications that report this way, and every file and figure says which protocol it shows.
``inner``
    Only where training held patients out (`train: inner`): each fold and seed is judged after the epoch with the
    highest C-index on these (the earlier one of a tie).  No choice is made on test data.
``given``
    In the place of all others, for predictions made elsewhere: how their epoch was chosen is not known here.
"""

from __future__ import annotations

from typing import Literal, get_args

VERSION = 3
"""Bumped when the stage's output changes for the same input."""

Protocol = Literal["last", "best-on-test"]

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
"""Those that every evaluation has."""

INNER = "inner"

GIVEN = "given"

MONTHS = (12.0, 36.0, 60.0)
"""Times of the time-dependent statistics where none are chosen, as far as they lie within follow-up."""
