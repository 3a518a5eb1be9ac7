"""Stage ``vectors``: one vector of each patient from slide-level features of other tools, a table, or mean patches."""

VERSION = 1
"""Bumped when the stage's output changes for the same input."""
