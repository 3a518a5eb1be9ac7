"""The C-index of patients who have the same parts of the data, where models are tested on incomplete patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ccl.evaluate.bootstrap import pooled_interval
from ccl.evaluate.concordance import comparable_pairs
from ccl.evaluate.folds import FoldRun
from ccl.evaluate.repeats import pooled_concordance

COMPLETE = "complete"
"""The pattern of patients who lack nothing."""

LEAST_PAIRS = 30
"""Fewer comparable pairs of patients than this give no C-index: one pair would move it by more than 0.03."""


def judge_patterns(folds: Sequence[FoldRun], risks: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the C-index of each pattern, complete patients first, then by falling number of patients.

    Parameters
    ----------
    folds : sequence of FoldRun
        ``run.json`` of those trained with `train: incomplete: keep` says what each incomplete patient lacks.
    risks : DataFrame
        Pooled risks, as :func:`ccl.evaluate.protocols.pool_risks` returns them.

    Returns
    -------
    list of dict
        ``pattern`` (such as ``no slides``), ``n_patients``, ``n_events``, ``pairs`` (comparable ones), ``c_index`` with
        ``lower`` and ``upper`` end of its interval, and ``reason``, which says why these are None.  It is empty if only
        complete patients were kept.
    """
    if not any("lacking" in fold.facts for fold in folds):
        return []
    lacking: Mapping[str, str] = {name: lacks for fold in folds for name, lacks in fold.facts["lacking"].items()}
    patterns = risks["patient_id"].map(lambda patient: lacking.get(patient, COMPLETE))
    sizes = Counter(patterns.tolist())
    order = sorted(sizes, key=lambda name: (name != COMPLETE, -sizes[name], name))
    return [_judge(name, risks[patterns == name]) for name in order]


def _judge(pattern: str, risks: pd.DataFrame) -> dict[str, Any]:
    pairs = comparable_pairs(risks["months"], risks["censorship"])
    counts = {"n_patients": len(risks), "n_events": int((risks["censorship"] == 0).sum()), "pairs": pairs}
    if pairs < LEAST_PAIRS:
        reason = f"{pairs} comparable pairs of patients, fewer than {LEAST_PAIRS}"
        return {"pattern": pattern, **counts, "c_index": None, "lower": None, "upper": None, "reason": reason}
    c_index = float(np.mean(pooled_concordance(risks)))
    interval = pooled_interval(risks)
    ends = {name: interval[name] for name in ("lower", "upper")}
    return {"pattern": pattern, **counts, "c_index": c_index, **ends, "reason": None}
