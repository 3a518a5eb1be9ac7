"""Stage ``predict``: the risk of patients without follow-up, by the networks of a bundle.

A bundle is a folder that another machine can use: ``model.safetensors`` holds the networks of all folds and seeds of
one model, ``bundle.json`` (:class:`ccl.predict.card.Card`) all that is needed to use them and to know what they are.
"""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

BUNDLE_VERSION = 1
"""The same of bundles."""
