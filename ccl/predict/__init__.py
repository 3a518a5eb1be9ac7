"""Stage ``predict``: the risk of patients without follow-up, by the networks of a bundle.

A bundle is a folder that another machine can use: ``model.safetensors`` holds the networks of all folds and seeds of
one model, and ``bundle.json`` (:class:`ccl.predict.card.Card`) has all that is needed to use them.
"""

from __future__ import annotations

VERSION = 2
"""Raise it when the output of the stage changes for the same input."""
