"""The two tracks: all methods trained in the same way, or each as its authors do."""

from __future__ import annotations

from typing import Literal

from ccl.config.sections import Track, TrainSettings
from ccl.io.errors import ConfigError
from ccl.methods.declaration import Method, Recipe

UNIFIED_OPTIMISER: Literal["sgd"] = "sgd"
"""The optimiser of the unified track, the same for every method: SGD without momentum, as CCL was published.  The
config sets its learning rate and weight decay (``train: lr``, ``train: weight_decay``)."""


def unified(settings: TrainSettings) -> Recipe:
    """Return the recipe that the config's ``train`` section states, the same for every method."""
    return Recipe(UNIFIED_OPTIMISER, settings.lr, settings.weight_decay, settings.epochs, sampling=settings.sampling)


def choose_recipe(method: Method, settings: TrainSettings, track: Track) -> Recipe:
    """Return how a method is trained on a track.

    Raises
    ------
    ConfigError
        The method has no native recipe. The error names only the key `track`, without the model.
    """
    if track == "unified":
        return unified(settings)
    if method.native is None:
        raise ConfigError(
            f"the method {method.name} has no native track",
            where="track",
            found="native",
            expected="unified",
            todo="remove `track`",
        )
    return method.native
