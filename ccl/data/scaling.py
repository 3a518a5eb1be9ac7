"""Scaling of gene families by the training patients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of a family's columns over the training patients."""

    mean: NDArray[np.float64]
    """(n,); NaN where no training patient has a value."""
    scale: NDArray[np.float64]
    """(n,); 1 for a constant column."""

    @classmethod
    def fit(cls, values: NDArray[np.floating]) -> Scaler:
        """Fit to the values (P, n) of the training patients, ignoring NaN."""
        measured = ~np.isnan(values).all(axis=0)
        scaler = StandardScaler().fit(np.where(measured, values.astype(np.float64), 0.0))
        return cls(np.where(measured, scaler.mean_, np.nan), scaler.scale_)

    def apply(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scale (..., n) values; missing ones become 0, the training mean."""
        return np.nan_to_num((values.astype(np.float64) - self.mean) / self.scale, nan=0.0).astype(np.float32)


def scale_genes(genomics: Sequence[Tensor], scalers: Iterable[Scaler]) -> tuple[Tensor, ...]:
    """Return families (..., n_f) scaled, each by its own scaler."""
    return tuple(
        torch.from_numpy(scaler.apply(values.cpu().numpy())).to(values.device)
        for values, scaler in zip(genomics, scalers, strict=True)
    )
