"""A patient's patches as K-means reads them: in blocks of float32, converted if necessary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

BLOCK_VALUES = 1 << 18
"""Values per block: 1 MiB of float32, which fits into a core's own cache."""

TILE_PRODUCTS = 600_000
"""Number of multiplications of one small matrix product.

OpenBLAS copies its operands into packed panels unless a product is smaller than a million multiplications.  With only
a few centres, the copy takes longer than the product, so blocks are multiplied in tiles below that size.
"""


class Bag:
    """The N patches of one patient, with D values each.

    Parameters
    ----------
    parts : sequence of (n, D) arrays, float16 or float32
        Finite features, slide by slide; kept as they are and never copied.
    normalise : {"none", "l2"}
        ``l2`` divides each patch by its Euclidean norm whenever the bag is read; a patch of zeros stays zero.

    Notes
    -----
    Memory in addition to `parts` is a few blocks of 1 MiB and 8 bytes per patch.  Distances are computed relative to
    the bag's mean, which keeps rounding errors of float32 small.
    """

    def __init__(
        self, parts: Sequence[NDArray[np.floating[Any]]], *, normalise: Literal["none", "l2"] = "none"
    ) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._norms = self._measure() if normalise == "l2" else None
        self.everyone: NDArray[np.intp] = np.arange(self._ends[-1])
        """(N,) all positions."""
        self.mean: NDArray[np.float64] = np.zeros(self.dim)
        """(D,)"""
        for _, block in self._blocks(self.everyone):
            self.mean += block.sum(axis=0, dtype=np.float64) / len(self)
        self.spread: NDArray[np.float32] = np.empty(len(self), dtype=np.float32)
        """(N,) squared distance of each patch from the mean."""
        centre = self.mean.astype(np.float32)
        for part, block in self._blocks(self.everyone):
            self.spread[part] = _squares(block - centre)

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def dim(self) -> int:
        """Number D of values per patch."""
        return int(self._parts[0].shape[1])

    def rows(self, index: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the patches (n, D) at ascending positions `index`; a view if no conversion is needed."""
        pieces = np.split(index, np.searchsorted(index, self._ends[:-1]))
        starts = [0, *self._ends[:-1]]
        found = [
            _take(part, own - start) for part, own, start in zip(self._parts, pieces, starts, strict=True) if len(own)
        ]
        patches = found[0] if len(found) == 1 else np.concatenate(found)
        return patches if self._norms is None else patches / self._norms[index, None]

    def different(self, limit: int) -> int:
        """Return the number of different patches, counted up to `limit`."""
        seen: set[bytes] = set()
        for _, block in self._blocks(self.everyone):
            for patch in block:
                seen.add((patch + 0).tobytes())  # minus zero becomes zero
                if len(seen) == limit:
                    return limit
        return len(seen)

    def squared_distances(self, points: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the squared Euclidean distances (m, n) of `points` (m, D) from the patches at `rows` (n,)."""
        # |x - p|^2 with p = mean + q is |x - mean|^2 - 2 x.q + 2 mean.q + |q|^2; only x.q reads the patches.
        from_mean = points - self.mean
        offsets = (2 * from_mean @ self.mean + _squares(from_mean)).astype(np.float32)
        columns = np.ascontiguousarray(from_mean.T, dtype=np.float32)
        products = np.empty((len(rows), len(points)), dtype=np.float32)
        for part, block in self._blocks(rows):
            products[part] = _product(block, columns)
        squared: NDArray[np.float32] = np.ascontiguousarray(products.T)
        squared *= -2
        squared += self.spread[rows]
        squared += offsets[:, None]
        return np.maximum(squared, 0, out=squared)

    def sums(self, weights: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the sums (m, D) of the patches at `rows` (n,) under m sets of weights (m, n)."""
        total = np.zeros((len(weights), self.dim))
        for part, block in self._blocks(rows):
            total += weights[:, part] @ block
        return total

    def _blocks(self, rows: NDArray[np.intp]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield the patches at `rows` block by block, each with its place among `rows`."""
        step = max(1, BLOCK_VALUES // self.dim)
        for first in range(0, len(rows), step):
            part = slice(first, first + step)
            yield part, self.rows(rows[part])

    def _measure(self) -> NDArray[np.float32]:
        """Return the norm of each patch, or 1 for a patch of zeros."""
        self._norms = None
        squares = [_squares(block) for _, block in self._blocks(np.arange(self._ends[-1]))]
        norms = np.sqrt(np.concatenate(squares))
        return np.where(norms > 0, norms, np.float32(1))


def _take(part: NDArray[np.floating[Any]], index: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return patches of one slide as float32, without a copy if they are stored as consecutive float32 rows."""
    neighbours = index[-1] - index[0] == len(index) - 1
    patches = part[index[0] : index[-1] + 1] if neighbours else part[index]
    if patches.dtype == np.float16:
        return torch.from_numpy(patches).float().numpy()  # fifteen times faster than NumPy's astype
    return patches.astype(np.float32, copy=False)


def _squares(values: NDArray[Any]) -> NDArray[Any]:
    """Return the squared norm of each row."""
    squares: NDArray[Any] = np.einsum("nd,nd->n", values, values)
    return squares


def _product(block: NDArray[np.float32], columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``block @ columns``, in tiles that OpenBLAS multiplies without packing."""
    height = max(1, TILE_PRODUCTS // columns.size)
    whole = len(block) // height * height
    products = np.empty((len(block), columns.shape[1]), dtype=np.float32)
    products[:whole] = (block[:whole].reshape(-1, height, len(columns)) @ columns).reshape(whole, columns.shape[1])
    products[whole:] = block[whole:] @ columns
    return products
