"""Stage ``added``: what a model adds to covariates such as age and stage, which a clinic knows without it.

Three predictions are compared on the same test patients: the covariates alone (``clinical``), the model alone
(``model``), and both together (``both``).
"""

from __future__ import annotations

from typing import Literal, get_args

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

Arm = Literal["clinical", "model", "both"]

ARMS: tuple[Arm, ...] = get_args(Arm)
"""What is compared."""
