"""Stage ``predict``: the risk of patients without follow-up, by the networks of a bundle.

A bundle is a folder that another machine can use: ``model.safetensors`` holds the networks of all folds and seeds of
one model, ``bundle.json`` (:class:`ccl.predict.card.Card`) all that is needed to use them and to know what they are.
"""

from __future__ import annotations

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

MONTHS = (12.0, 36.0, 60.0)
"""When survival is told, unless asked otherwise."""

RESEARCH_ONLY = (
    "Research only. Not a medical device: no diagnosis, prognosis or treatment of a patient may rest on it. A risk is "
    "relative to the training cohort; whether it holds for patients of another hospital has to be shown there first."
)
