"""The distribution of genes in training, and expression of new patients brought to its scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ccl.config.sections import Expression
from ccl.data.scaling import Scaler
from ccl.data.tables import kind_of
from ccl.io.errors import ConfigError

LEVELS = np.arange(1, 20) / 20
"""Quantiles that a bundle keeps of each gene.  The extremes, which belong to single patients, are not among them."""

FEWEST = 10
"""A cohort with fewer patients has no scale of its own."""

WORDS: dict[Expression, str] = {
    "as-is": "as it is in the tables",
    "z-score": "standardised within the new cohort, each gene to mean and deviation of the training patients",
    "quantiles": "quantiles of each gene within the new cohort mapped to those of the training patients",
}
"""How the scale of expression is told to readers."""


@dataclass(frozen=True)
class GeneSummary:
    """The distribution of the n columns of a gene family among some patients; NaN where no value is known."""

    scaler: Scaler
    """Mean and standard deviation (n,)."""
    quantiles: NDArray[np.float32]
    """(19, n) at :data:`LEVELS`."""

    @classmethod
    def fit(cls, values: NDArray[np.floating]) -> GeneSummary:
        """Fit to the values (P, n) of P patients, ignoring NaN."""
        known = ~np.isnan(values).all(axis=0)
        quantiles = np.full((len(LEVELS), values.shape[1]), np.nan, dtype=np.float32)
        quantiles[:, known] = np.nanquantile(values[:, known], LEVELS, axis=0)
        return cls(Scaler.fit(values), quantiles)

    def tensors(self) -> tuple[Tensor, ...]:
        """Return mean, standard deviation and quantiles, as a bundle stores them."""
        parts = self.scaler.mean, self.scaler.scale, self.quantiles
        return tuple(torch.from_numpy(np.asarray(part)) for part in parts)


def check_expression(how: Expression, patients: int, *, recorded: bool) -> None:
    """Raise ConfigError if expression cannot be brought to the scale of the training.

    Parameters
    ----------
    how : Expression
        The choice of the config.
    patients : int
        New patients.
    recorded : bool
        Whether the bundle knows the distribution of its training patients' genes.
    """
    if how == "as-is":
        return
    if not recorded:
        raise ConfigError(
            "the bundle does not know the distribution of genes in training",
            where="config, predict: expression",
            found=f"{how}, and a bundle of an earlier version",
            expected="a bundle that records it",
            todo="make the bundle again with `ccl bundle`, or set `predict: expression: as-is`",
        )
    if patients < FEWEST:
        raise ConfigError(
            "too few patients for a scale of their own",
            where="config, predict: expression",
            found=f"{how}, with {patients} patients",
            expected=f"{FEWEST} patients or more",
            todo="set `predict: expression: as-is`, with expression on the scale of the training tables",
        )


def to_training_scale(
    values: NDArray[np.float32], columns: Sequence[str], trained: GeneSummary, how: Expression
) -> NDArray[np.float32]:
    """Return the values (P, n) of a family with its expression on the training scale; other kinds of omics are kept.

    Parameters
    ----------
    values : ndarray, shape (P, n)
        The new patients' values; NaN stays NaN.
    columns : sequence of n str
        Names of the columns; those of expression end in ``_rnaseq``.
    trained : GeneSummary
        The distribution of the same columns in training.
    how : Expression
        ``z-score`` gives each gene the mean and deviation of the training; ``quantiles`` is piecewise linear between
        the quantiles at :data:`LEVELS`, and beyond the outermost ones has the slope of the two deviations.
    """
    own = GeneSummary.fit(values)
    changed = values.astype(np.float64)
    slopes = trained.scaler.scale / own.scaler.scale
    for place, column in enumerate(columns):
        there = np.isfinite(own.scaler.mean[place]) and np.isfinite(trained.scaler.mean[place])
        if kind_of(column) != "rna" or not there:
            continue
        x = changed[:, place]
        if how == "z-score":
            changed[:, place] = trained.scaler.mean[place] + slopes[place] * (x - own.scaler.mean[place])
        else:
            changed[:, place] = _mapped(x, own.quantiles[:, place], trained.quantiles[:, place], slopes[place])
    return changed.astype(np.float32)


def _mapped(
    x: NDArray[np.float64], own: NDArray[np.float32], trained: NDArray[np.float32], slope: float
) -> NDArray[np.float64]:
    inside = np.interp(x, own, trained)
    beyond = np.minimum(x - own[0], 0.0) + np.maximum(x - own[-1], 0.0)
    mapped: NDArray[np.float64] = inside + slope * beyond
    return mapped
