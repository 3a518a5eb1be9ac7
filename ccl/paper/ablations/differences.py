"""Differences between two models that were judged on the same folds, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import t

from ccl.evaluate import Protocol
from ccl.evaluate.bootstrap import CONFIDENCE
from ccl.results.gather import Evaluation


@dataclass(frozen=True)
class Difference:
    """A mean difference in C-index."""

    mean: float
    se: float | None
    """Standard error; None from a single fold."""
    freedom: float
    """Degrees of freedom of the standard error."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95 % confidence interval, within what a difference can be."""
        if self.se is None:
            return None
        half = float(t.ppf((1 + CONFIDENCE) / 2, self.freedom)) * self.se
        return max(self.mean - half, -1.0), min(self.mean + half, 1.0)


def paired(point: Evaluation, default: Evaluation, protocol: Protocol) -> Difference | None:
    """Return how much higher the C-index of `point` is: paired by fold and seed, seeds averaged within a fold.

    The training patients of two folds are largely the same, so folds vary less than new data would.  The variance of
    the mean over F folds is therefore taken as (1/F + n_test/n_train) times that of the folds (Nadeau and Bengio,
    "Inference for the Generalization Error", Machine Learning 2003), not as 1/F times it.

    Returns
    -------
    Difference or None
        None where the two have no fold with a C-index in common.
    """
    pairs = _scores(point, protocol).merge(_scores(default, protocol), on=["fold", "seed"], suffixes=("", "_default"))
    per_fold = (pairs["c_index"] - pairs["c_index_default"]).groupby(pairs["fold"]).mean().dropna()
    folds = len(per_fold)
    if not folds:
        return None
    if folds == 1:
        return Difference(float(per_fold.mean()), None, 0)
    shares = [run["n_test"] / run["n_train"] for run in default.runs]
    variance = (1 / folds + sum(shares) / len(shares)) * float(per_fold.var(ddof=1))
    return Difference(float(per_fold.mean()), math.sqrt(variance), folds - 1)


def _scores(evaluation: Evaluation, protocol: Protocol) -> pd.DataFrame:
    return pd.DataFrame(evaluation.facts["protocols"][protocol]["folds"]).astype({"c_index": float})[
        ["fold", "seed", "c_index"]
    ]


def overall(differences: Sequence[Difference | None]) -> Difference | None:
    """Return the mean of the differences on several cohorts, which share no patient; None where one is missing.

    The degrees of freedom are those of Welch and Satterthwaite.
    """
    known = [difference for difference in differences if difference is not None]
    if len(known) < len(differences):
        return None
    mean = sum(difference.mean for difference in known) / len(known)
    parts = [(d.se**2 / len(known) ** 2, d.freedom) for d in known if d.se is not None]
    if len(parts) < len(known):
        return Difference(mean, None, 0)
    variance = sum(part for part, _ in parts)
    terms = sum(part**2 / freedom for part, freedom in parts)
    freedom = variance**2 / terms if terms else sum(freedom for _, freedom in parts)
    return Difference(mean, math.sqrt(variance), freedom)
