"""Reading the results of the stages, and building blocks for tables and figures of them."""

from __future__ import annotations

OTHER_FOLDERS = ("ablations", "benchmarks", "figures", "logs", "report", "table1")
"""Folders in the results that are no cohorts, so that no cohort may have their names."""
