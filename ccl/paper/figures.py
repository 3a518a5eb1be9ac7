"""Stage ``figures``: Figures 6, 7 and 8 of the CCL paper, with a panel for each cohort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ccl.evaluate import PROTOCOLS
from ccl.io.errors import ConfigError

VERSION = 1
"""Bumped when the stage's output changes for the same input."""

JUDGED: Mapping[str, str] = {"6": "kaplan_meier", "7": "t_test"}
"""Figures of evaluations, each with its name in ``ccl.results.figures.PANELS``; there is one for each protocol."""

FIGURES = (*JUDGED, "8")


def names_of(encoder: str, model: str) -> list[str]:
    """Return the part of the file names after the figure's number, one for each protocol.

    >>> names_of("uni", "ccl")
    ['uni.ccl', 'uni.ccl.best-on-test']
    """
    return [f"{encoder}.{model}" + ("" if protocol == "last" else f".{protocol}") for protocol in PROTOCOLS]


def check_names(models: Iterable[tuple[str, str]]) -> None:
    """Raise ConfigError if figures of two models would have the same file name, which dots in names can cause.

    Parameters
    ----------
    models : iterable of (str, str)
        Encoders and models.
    """
    owners: dict[str, tuple[str, str]] = {}
    for model in models:
        for name in names_of(*model):
            other = owners.setdefault(name, model)
            if other != model:
                raise ConfigError(
                    "two figures would have the same file name",
                    where="config, names of models and encoders",
                    found=f"{name}, of {' with '.join(other[::-1])} and of {' with '.join(model[::-1])}",
                    expected="names that differ when encoder, model and protocol are joined by dots",
                    todo="rename one of them, without a dot",
                )
