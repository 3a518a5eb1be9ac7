"""Differences between points and the default model on the same folds, with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import t

from ccl.paper.ablations import DEFAULT
from ccl.results.cells import OVERALL_COLUMN, Cell
from ccl.results.gather import Evaluation

CONFIDENCE = 0.95


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
        """Student's 95 % confidence interval, cut at -1 and 1."""
        if self.se is None:
            return None
        half = float(t.ppf((1 + CONFIDENCE) / 2, self.freedom)) * self.se
        return max(self.mean - half, -1.0), min(self.mean + half, 1.0)


def paired(point: Evaluation, default: Evaluation, protocol: str) -> Difference | None:
    """Return the mean difference in C-index, `point` minus `default`, paired by fold and seed.

    Seeds are averaged within a fold.  Folds share most of their training patients, so they vary less than new data
    would.  Therefore the variance of the mean over F folds is (1/F + n_test/n_train) times that of the folds, instead
    of 1/F times (Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 2003).

    Returns
    -------
    Difference or None
        None if no fold has a C-index of both.
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


def _scores(evaluation: Evaluation, protocol: str) -> pd.DataFrame:
    return pd.DataFrame(evaluation.facts["protocols"][protocol]["folds"]).astype({"c_index": float})[
        ["fold", "seed", "c_index"]
    ]


def overall(differences: Sequence[Difference | None]) -> Difference | None:
    """Return the mean of the differences on several cohorts, which share no patient; None if one is missing.

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


def add_differences(cells: Sequence[Cell]) -> list[Cell]:
    """Add to each cell of a point its difference to the default, and the same difference of published numbers.

    Parameters
    ----------
    cells : sequence of Cell
        Cells of one table and encoder. In each row, the cohorts come before their mean.
    """
    defaults: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell["model"] == DEFAULT:
            defaults.setdefault((cell["cohort"], cell["protocol"]), []).append(cell)
    found: dict[tuple[str, str], list[Difference | None]] = {}
    compared = []
    for cell in cells:
        apart = theirs = None
        if cell["model"] != DEFAULT:
            own = defaults[cell["cohort"], cell["protocol"]]
            before = found.setdefault((cell["point"], cell["protocol"]), [])
            if cell["cohort"] == OVERALL_COLUMN:
                apart = overall(before)
            else:
                apart = paired(cell["evaluations"][0], own[0]["evaluations"][0], cell["protocol"])
                before.append(apart)
            # A config may merge two rows that the paper keeps apart; then neither is the paper's default.
            published = {default["published"] for default in own}
            if cell["published"] is not None and len(published) == 1 and None not in published:
                theirs = cell["published"] - published.pop()
        lower, upper = (apart and apart.interval) or (None, None)
        numbers = {"difference": apart.mean, "se": apart.se} if apart else dict.fromkeys(("difference", "se"))
        compared.append(cell | numbers | {"lower": lower, "upper": upper, "published_difference": theirs})
    return compared
