"""Stage ``import``: feature files made elsewhere take the place of ``tissue``, ``tile`` and ``embed``."""

VERSION = 1
"""Bumped when the stage's output changes for the same input."""
