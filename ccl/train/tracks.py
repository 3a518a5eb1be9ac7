"""The two tracks: all methods trained alike, or each as its authors do."""

from __future__ import annotations

from types import ModuleType
from typing import Literal, get_args

from ccl.config.sections import TrainSettings
from ccl.io.errors import ConfigError
from ccl.methods.recipes import Recipe

Track = Literal["unified", "native"]
TRACKS: tuple[Track, ...] = get_args(Track)


def unified(settings: TrainSettings) -> Recipe:
    """Return the recipe that the config's ``train`` section states, the same for every method."""
    return Recipe("sgd", settings.lr, settings.weight_decay, settings.epochs, sampling=settings.sampling)


def recipe_of(module: ModuleType, settings: TrainSettings, track: Track) -> Recipe:
    """Return how a method (its module) is trained on a track.

    Raises
    ------
    ConfigError
        The method has no recipe of its own.
    """
    if track == "unified":
        return unified(settings)
    if not hasattr(module, "NATIVE"):
        raise ConfigError(
            "the method has no native track",
            where=f"config, models, of method {module.__name__.rpartition('.')[2]}",
            expected="`track: unified`",
            todo="remove `track`",
        )
    native: Recipe = module.NATIVE
    return native
