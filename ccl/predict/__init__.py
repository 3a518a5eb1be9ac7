"""Stage ``predict``: the risk of patients without follow-up, by the networks of a bundle.

A bundle is a folder that another machine can use: ``model.safetensors`` holds the networks of all folds and seeds of
one model, ``bundle.json`` (:class:`ccl.predict.card.Card`) all that is needed to use them and to know what they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccl.config.settings import setting

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

BUNDLE_VERSION = 1
"""The same of bundles."""


@dataclass(frozen=True)
class BundleSettings:
    """On what terms a bundle is given away."""

    licence: str = setting("terms under which the bundle may be used")
    intended_use: str = setting("what the bundle is for, and what not")


@dataclass(frozen=True)
class PredictSettings:
    """What is told of each patient."""

    months: tuple[float, ...] = setting("when survival is told; none takes 12, 36 and 60 within the training follow-up")
