"""Stage ``evaluate``: the folds of one method, evaluated under each protocol.

``last``
    Each fold and seed is evaluated after its last epoch.  No choice is made on test data.
``best-on-test``
    Each fold and seed is evaluated after the epoch with the highest C-index on its own test patients (the later
    one of a tie).  The choice uses the test data, so the numbers are optimistic; they are for comparison with
    publications that report this way, and every file and figure says which protocol it shows.
``inner``
    Only if training held patients out (`train: inner`): each fold and seed is evaluated after the epoch with the
    highest C-index on these (the earlier one of a tie).  No choice is made on test data.
``given``
    The only protocol of predictions made elsewhere: how their epoch was chosen is not known here.
"""

from __future__ import annotations

from typing import Literal, get_args

VERSION = 5
"""Raise it when the output of the stage changes for the same input."""

Protocol = Literal["last", "best-on-test"]

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
"""The protocols of every evaluation."""

INNER = "inner"

GIVEN = "given"

MONTHS = (12.0, 36.0, 60.0)
"""Default times of predicted survival and of time-dependent statistics, as far as they lie within follow-up."""
