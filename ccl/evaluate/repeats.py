"""Repeated cross-validation: every repeat tests all patients once, and is judged by itself.

A statistic of all patients is computed for each repeat, and the mean over repeats is reported with their standard
deviation.  A bootstrap draws patients, not rows: all repeats share the resamples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.evaluate.concordance import concordance_index, resampled_concordance
from ccl.evaluate.folds import FoldRun

RISK = re.compile(r"risk_\d+")
"""Column of the risks of one repeat in ``risks.csv``, numbered from 1."""


def split_repeats(runs: Sequence[FoldRun]) -> list[list[FoldRun]]:
    """Return the folds of each repeat.

    A repeat ends before a fold that tests one of its patients again.  If the parts do not all test the same patients,
    as with random splits, all folds are returned as one part.

    Parameters
    ----------
    runs : sequence of FoldRun
        In the order of their folds.
    """
    parts: list[list[FoldRun]] = []
    tested: list[set[str]] = []
    for run in runs:
        own = set(run.predictions["patient_id"])
        if not parts or tested[-1] & own:
            parts.append([])
            tested.append(set())
        parts[-1].append(run)
        tested[-1] |= own
    return parts if all(patients == tested[0] for patients in tested) else [list(runs)]


def risk_columns(risks: pd.DataFrame) -> list[str]:
    """Return the columns of pooled risks that are judged: one for each repeat, or ``risk`` alone."""
    return [str(name) for name in risks.columns if RISK.fullmatch(str(name))] or ["risk"]


def pooled_concordance(risks: pd.DataFrame) -> list[float]:
    """Return the C-index of pooled risks in each repeat; NaN if no pair of patients is comparable."""
    return [concordance_index(risks["months"], risks["censorship"], risks[name]) for name in risk_columns(risks)]


def resampled_pooled(risks: pd.DataFrame, counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the mean over repeats of the C-index of R resamples, (R,), NaN if no pair is comparable.

    Parameters
    ----------
    risks : DataFrame
        Pooled risks of P patients.
    counts : ndarray of int, shape (R, P)
        How often each patient is in each resample.
    """
    columns = risk_columns(risks)
    each = [resampled_concordance(risks["months"], risks["censorship"], risks[name], counts) for name in columns]
    return each[0] if len(each) == 1 else np.mean(each, axis=0)


def mean_facts(repeats: Sequence[Any]) -> Any:
    """Return the mean of each number in the facts of all repeats, which have the same entries.

    A number that is None in a repeat is None, with the reason of that repeat.
    """
    first, known = repeats[0], [facts for facts in repeats if facts is not None]
    if len(repeats) == 1:
        return first
    if len(known) < len(repeats):
        return next((facts for facts in known if isinstance(facts, str)), None)
    if isinstance(first, dict):
        return {name: mean_facts([facts[name] for facts in repeats]) for name in first}
    if isinstance(first, list):
        return [mean_facts(parts) for parts in zip(*repeats, strict=True)]
    return float(np.mean(repeats)) if isinstance(first, float) else first
