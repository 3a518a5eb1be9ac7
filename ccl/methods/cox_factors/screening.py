"""The choice of products by the score test, with p-values that count the search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PERMUTATIONS = 999


def screen(products: Array, residual: Array, count: int) -> tuple[NDArray[np.intp], Array]:
    """Return the places of the products with the largest scores, the best first, and the p-value of each.

    The score of a product is the size of its correlation with the martingale residuals of a Cox model without products.
    For the p-value the residuals are permuted among the patients.  It is the share of permutations, the observed one
    included, whose largest score over all products is at least as large (Westfall and Young, 1993).

    Parameters
    ----------
    products : (P, m) array
        Of every gene factor with every slide factor.
    residual : (P,) array
        Martingale residuals, with mean 0.
    count : int
        Number of products wanted.
    """
    centred = products - products.mean(axis=0)
    deviation = centred.std(axis=0)
    scaled = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-6)
    scores = np.abs(residual @ scaled)
    best = np.argsort(-scores, kind="stable")[:count]
    generator = np.random.default_rng(0)
    permuted = np.stack([generator.permutation(residual) for _ in range(PERMUTATIONS)])
    largest = np.abs(permuted @ scaled).max(axis=1, initial=0.0)
    return best, (1 + (largest[:, None] >= scores[best]).sum(axis=0)) / (1 + PERMUTATIONS)
