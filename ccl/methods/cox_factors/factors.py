"""Factors of genes and of patches, found in the training patients without their outcome.

All replicas (S) are equal: the leading axis is there because every stored state has it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from ccl.cluster.bag import Bag
from ccl.cluster.kmeans import kmeans

Array = NDArray[np.float64]

FARTHEST = 5.0
"""Standardised values are limited to this size, so that no single gene of a patient decides a factor."""

SHARE_OFFSET = 0.02
"""Added to a share before its logarithm is taken."""

SAMPLED = 60
"""Patches of each patient that the phenotypes are found in, at equal distances in the order of the files."""

RESTARTS = 2


class Components(nn.Module):
    """The leading principal components of n columns, each with deviation 1 over the training patients."""

    mean: Tensor
    scale: Tensor
    loadings: Tensor

    def __init__(self, replicas: int, columns: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.register_buffer("mean", torch.zeros(replicas, columns))
        self.register_buffer("scale", torch.ones(replicas, columns))
        self.register_buffer("loadings", torch.zeros(replicas, columns, count))

    def fit(self, values: Array) -> None:
        """Find the components of values (P, n), NaN where missing; those that do not exist are zero."""
        there = ~np.isnan(values)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, values, 0.0).sum(axis=0) / count
        scale = np.sqrt((np.where(there, values - mean, 0.0) ** 2).sum(axis=0) / count)
        scale[scale == 0] = 1.0
        standard = np.where(there, (values - mean) / scale, 0.0).clip(-FARTHEST, FARTHEST)
        directions = np.linalg.svd(standard, full_matrices=False)[2][: self.loadings.shape[-1]].T
        # The sign of a component is arbitrary: its largest loading is positive.
        largest = np.abs(directions).argmax(axis=0)
        directions = directions * np.sign(directions[largest, np.arange(directions.shape[1])])
        deviation = (standard @ directions).std(axis=0)
        real = deviation > 1e-6
        loadings = np.zeros(self.loadings.shape[1:])
        loadings[:, : len(deviation)][:, real] = directions[:, real] / deviation[real]
        for target, found in ((self.mean, mean), (self.scale, scale), (self.loadings, loadings)):
            target.copy_(torch.as_tensor(found).float().expand_as(target))

    def keep(self, count: int) -> None:
        """Keep the first components; the others become zero."""
        self.loadings[..., count:] = 0.0

    def forward(self, values: Tensor) -> Tensor:
        """Map values (1 or S, B, n), NaN where missing, to components (S, B, count)."""
        standard = ((values - self.mean[:, None]) / self.scale[:, None]).nan_to_num(nan=0.0)
        found: Tensor = standard.clamp(-FARTHEST, FARTHEST) @ self.loadings
        return found


class Phenotypes(nn.Module):
    """Clusters of the patches of all training patients, and the factors of a patient in terms of them."""

    centres: Tensor

    def __init__(self, replicas: int, features: int, count: int, looks: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(replicas, count, features))
        self.shares = Components(replicas, count, count - 1)
        self.looks: Sequence[Components] = nn.ModuleList(  # type: ignore[assignment]
            Components(replicas, features, looks) for _ in range(count)
        )

    @property
    def count(self) -> int:
        """Number of factors."""
        return self.shares.count + sum(look.count for look in self.looks)

    def find(self, sampled: NDArray[np.float32]) -> None:
        """Find the clusters of patches (N, D) of all training patients."""
        with threadpool_limits(1):  # the clusters depend on the number of threads
            found = kmeans(Bag([sampled]), self.centres.shape[1], restarts=RESTARTS, seed=0, empty="reseed")
        self.centres.copy_(torch.as_tensor(found.centres).expand_as(self.centres))

    def fit(self, shares: Array, looks: Array) -> None:
        """Find the factors of log shares (P, k) and mean patches (P, k, D) of the training patients."""
        self.shares.fit(shares)
        for number, look in enumerate(self.looks):
            look.fit(looks[:, number])

    def describe(self, bag: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log shares (S, 1, k) and the mean patch of each phenotype (S, 1, k, D) of a bag (1 or S, N, D).

        The mean patch of a phenotype that a patient lacks is the centre of the phenotype.
        """
        bag = bag.expand(len(self.centres), -1, -1)
        # The squared distance less a term of the patch alone, without a tensor of N x k x D.
        distance = (self.centres**2).sum(dim=-1)[:, None] - 2 * bag @ self.centres.mT
        member = torch.nn.functional.one_hot(distance.argmin(dim=-1), self.centres.shape[1]).to(bag.dtype)
        sizes = member.sum(dim=1)
        mean = member.mT @ bag / sizes.clamp(min=1)[..., None]
        looks = torch.where((sizes > 0)[..., None], mean, self.centres)
        return torch.log(sizes / bag.shape[1] + SHARE_OFFSET)[:, None], looks[:, None]

    def forward(self, bag: Tensor) -> Tensor:
        """Return the factors (S, 1, count) of a bag (1 or S, N, D)."""
        return self.factors(*self.describe(bag))

    def factors(self, shares: Tensor, looks: Tensor) -> Tensor:
        """Return the factors (S, 1, count) of what :meth:`describe` says of a bag."""
        return torch.cat([self.shares(shares), *(look(looks[:, :, j]) for j, look in enumerate(self.looks))], dim=-1)


def sample(bag: Tensor) -> NDArray[np.float32]:
    """Return :data:`SAMPLED` patches of a bag (1, N, D), N > 0, or all if there are fewer."""
    rows = np.unique(np.linspace(0, bag.shape[1] - 1, SAMPLED).astype(np.int64))
    return bag[0, torch.from_numpy(rows)].float().cpu().numpy()
