"""Stage ``figures``: Figures 6, 7 and 8 of the paper from what was run, a panel for each cohort."""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

JUDGED = ("6", "7")
"""Figures of evaluations; there is one for each protocol."""

FIGURES = (*JUDGED, "8")
