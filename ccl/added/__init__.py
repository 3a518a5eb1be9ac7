"""Stage ``added``: what a model adds to clinical covariates such as age and stage.

Three predictions are compared on the same test patients: from the covariates alone (``clinical``), from the model alone
(``model``), and from both together (``both``).
"""

from __future__ import annotations

from typing import Literal, get_args

VERSION = 2
"""Bumped when the stage's output changes for the same input."""

Arm = Literal["clinical", "model", "both"]

ARMS: tuple[Arm, ...] = get_args(Arm)
"""The predictions that are compared."""
