"""Stage ``predict``: the risk of patients without follow-up, by the networks of a bundle.

A bundle is a folder that another machine can use: ``model.safetensors`` holds the networks of all folds and seeds of
one model, ``bundle.json`` (:class:`ccl.predict.card.Card`) describes them and has all that is needed to use them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccl.config.settings import setting

VERSION = 1
"""Raise it when the output of the stage changes for the same input."""

BUNDLE_VERSION = 1
"""The same for bundles."""


@dataclass(frozen=True)
class BundleSettings:
    """Terms of use of a bundle."""

    licence: str = setting("terms under which the bundle may be used")
    intended_use: str = setting("what the bundle is for, and what not")


@dataclass(frozen=True)
class PredictSettings:
    """What is predicted for each patient."""

    months: tuple[float, ...] = setting("when survival is told; none takes 12, 36 and 60 within the training follow-up")
