"""Scaling of genes, covariates and vectors by the training patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of some columns over the training patients."""

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


class HasValues(Protocol):
    """What :meth:`Scalers.scale` scales: patients or a batch."""

    @property
    def genomics(self) -> tuple[Tensor, ...]:
        """Genes, per family (..., n_f)."""

    @property
    def clinical(self) -> Tensor | None:
        """Covariates (..., C)."""

    @property
    def vectors(self) -> Tensor | None:
        """Vectors (..., D)."""


Values = TypeVar("Values", bound=HasValues)


@dataclass(frozen=True)
class Scalers:
    """The scalers of genes, covariates and vectors."""

    families: Mapping[str, Scaler]
    """Per gene family, in the method's order."""
    clinical: Scaler | None = None
    """Of the covariates; None for a method that reads none."""
    vectors: Scaler | None = None
    """Of the vectors; None for a method that reads none."""

    def scale(self, values: Values) -> Values:
        """Return patients or a batch with scaled genes, covariates and vectors."""
        genomics = tuple(_scaled(*pair) for pair in zip(values.genomics, self.families.values(), strict=True))
        clinical, vectors = (
            None if own is None or scaler is None else _scaled(own, scaler)
            for own, scaler in ((values.clinical, self.clinical), (values.vectors, self.vectors))
        )
        return replace(values, genomics=genomics, clinical=clinical, vectors=vectors)  # type: ignore[type-var]


def _scaled(values: Tensor, scaler: Scaler) -> Tensor:
    return torch.from_numpy(scaler.apply(values.cpu().numpy())).to(values.device)
