"""The bootstrap over patients: how much a statistic of the cohort varies with the patients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from ccl.evaluate.repeats import resampled_pooled

RESAMPLES = 1000
SEED = 0
CONFIDENCE = 0.95

HALF_WIDTH = float(norm.ppf((1 + CONFIDENCE) / 2))
"""Half the width of the interval of a normal distribution, in standard errors."""


def resample(patients: int, seed: int = SEED) -> NDArray[np.int64]:
    """Return how often each patient is in each resample, (R, P); always the same for the same number of patients."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(patients, np.full(patients, 1 / patients), size=RESAMPLES)


def percentile_interval(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Return ``lower`` and ``upper`` end of the middle 95 % of `values`, ignoring NaN; None if all are NaN."""
    known = values[~np.isnan(values)]
    if not len(known):
        return {"lower": None, "upper": None}
    lower, upper = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"lower": float(lower), "upper": float(upper)}


def pooled_interval(risks: pd.DataFrame) -> dict[str, Any]:
    """Return the 95 % confidence interval of the C-index of pooled risks, in repeated cross-validation of the mean.

    The risks are fixed: the interval describes how the C-index varies with the patients it is computed on, not with
    those that the models were trained on.  Resamples without a comparable pair are ignored.
    """
    return stated_interval(resampled_pooled(risks, resample(len(risks))))


def stated_interval(resampled: NDArray[np.float64]) -> dict[str, Any]:
    """Return the interval of a statistic of resamples, with its ``confidence`` and their number ``resamples``."""
    return {**percentile_interval(resampled), "confidence": CONFIDENCE, "resamples": RESAMPLES}
