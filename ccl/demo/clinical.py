"""The synthetic clinical table: stage and grade carry a part of the planted risk, age and laterality do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

STAGES = ("Stage I", "Stage IIA", "Stage IIB", "Stage III", "Stage IV")
STAGE_SHARES = (0.3, 0.15, 0.15, 0.25, 0.15)
GRADES = ("G1", "G2", "G3")
GRADE_SHARES = (0.3, 0.4, 0.3)

CARRIED = {"stage": "shared", "grade": "pathology"}
"""The part of the log-risk that each covariate carries."""

NOISE = 0.7
"""Standard deviation of the noise in a patient's stage or grade, relative to that of the part of the log-risk."""

MISSING_EVERY = 20
"""Of this many patients, one has no stage and another one has no grade."""


def draw_clinical(parts: pd.DataFrame, ages: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """Draw ``age``, ``stage``, ``grade`` and ``laterality`` of each patient.

    Patients are ordered by a noisy view of a part of their log-risk, and levels are assigned in this order, so even
    a small cohort has every level.  As in tables of TCGA, a missing stage is ``[Not Available]`` and a missing grade
    ``GX``.

    Parameters
    ----------
    parts : DataFrame
        (P, 4) parts of the log-risk (:class:`ccl.demo.risk.Risk`).
    ages : Series
        (P,) ages of ``patients.csv``.
    """
    count = len(parts)
    missing = rng.permutation(count)[: 2 * (count // MISSING_EVERY)]
    table = pd.DataFrame({"age": ages.to_numpy()})
    for (name, part), levels, shares in zip(
        CARRIED.items(), (STAGES, GRADES), (STAGE_SHARES, GRADE_SHARES), strict=True
    ):
        seen = parts[part] / parts[part].std() + rng.normal(0, NOISE, count)
        table[name] = _dealt(seen.rank().to_numpy() - 0.5, levels, shares)
    table.loc[missing[::2], "stage"] = "[Not Available]"
    table.loc[missing[1::2], "grade"] = "GX"
    return table.assign(laterality=rng.permutation(np.resize(["left", "right"], count)))


def _dealt(ranks: np.ndarray, levels: Sequence[str], shares: Sequence[float]) -> np.ndarray:
    """Return the level of each rank (P,): the lowest share of the ranks has the first level, and so on."""
    bounds = np.cumsum(shares)[:-1] * len(ranks)
    return np.asarray(levels)[np.searchsorted(bounds, ranks)]
