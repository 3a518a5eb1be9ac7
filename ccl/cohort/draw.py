"""Folds drawn where none are given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from ccl.cohort.balance import share_out
from ccl.config.cohort_sections import FoldDraw
from ccl.io.errors import ConfigError

TIME_GROUPS = 4
"""Groups of follow-up with ``stratify: time``, separately for events and censored patients; fewer if they are few."""

HELD_OUT_SEED = 1
"""Keeps the draw of held-out patients apart from that of the folds."""


def draw_folds(patients: pd.DataFrame, draw: FoldDraw) -> pd.DataFrame:
    """Draw partitions into test folds (same layout as :func:`ccl.cohort.folds.read_folds`).

    Parameters
    ----------
    patients : DataFrame
        ``patient_id``, ``months``, ``censorship``, and ``site`` if sites are drawn.
    draw : FoldDraw
        Number of folds, seed, what is drawn, and what is alike in all folds.  Repeat r has the folds r * n_folds to
        (r + 1) * n_folds - 1.

    Raises
    ------
    ConfigError
        There are fewer events, censored patients or sites than folds, or too few ways to share out the sites.
    """
    rarest = int(patients["censorship"].value_counts().min())
    if rarest < draw.n_folds:
        raise ConfigError(
            "too few patients for the folds",
            where="config, cohort: n_folds",
            found=f"{draw.n_folds} folds, but only {rarest} patients of one kind (event or censored)",
            expected="at least one event and one censored patient in each fold",
            todo="lower n_folds",
        )
    rows = [
        (fold, patients["patient_id"].iloc[index], role)
        for fold, test in enumerate(_partitions(patients, draw))
        for role, side in (("train", np.setdiff1d(np.arange(len(patients)), test)), ("test", test))
        for index in side
    ]
    return pd.DataFrame(rows, columns=["fold", "patient_id", "role"])


def _partitions(patients: pd.DataFrame, draw: FoldDraw) -> Iterator[NDArray[np.int64]]:
    """Yield the positions of the test patients of each fold of each repeat."""
    if draw.by == "site":
        equal = [1 / draw.n_folds] * draw.n_folds
        for sites in share_out(patients, equal, draw.fold_seed, ways=draw.repeats):
            group = patients["site"].map(sites).to_numpy()
            yield from (np.flatnonzero(group == fold) for fold in range(draw.n_folds))
        return
    alike = patients["censorship"] if draw.stratify == "censorship" else _time_groups(patients, draw.n_folds)
    for repeat in range(draw.repeats):
        splitter = StratifiedKFold(draw.n_folds, shuffle=True, random_state=_seed(draw, repeat))
        yield from (test for _, test in splitter.split(patients, alike))


def _seed(draw: FoldDraw, repeat: int) -> int:
    """Return the seed of a repeat; the first is the config's own."""
    return draw.fold_seed if not repeat else int(np.random.SeedSequence((draw.fold_seed, repeat)).generate_state(1)[0])


def _time_groups(patients: pd.DataFrame, n_folds: int) -> pd.Series[str]:
    """Return a group of event and time for each patient, each with as many patients as folds or more."""
    alike = patients.groupby("censorship")["months"]
    size = alike.transform("size").astype(int)
    quarter = (alike.rank(method="first") - 1) * (size // n_folds).clip(upper=TIME_GROUPS) // size
    return patients["censorship"].astype(str) + " " + quarter.astype(str)


def draw_held_out(patients: pd.DataFrame, draw: FoldDraw) -> list[str]:
    """Return the patients that are in no fold: a share of events and of censored patients, or a share of the sites."""
    rng = np.random.default_rng((draw.fold_seed, HELD_OUT_SEED))
    if draw.by == "site":
        (groups,) = share_out(patients, [1 - draw.held_out_share, draw.held_out_share], draw.fold_seed)
        return list(patients.loc[patients["site"].map(groups) == 1, "patient_id"])
    drawn: list[str] = []
    for _, alike in patients.groupby("censorship"):
        drawn += rng.permutation(alike["patient_id"].to_numpy())[: round(draw.held_out_share * len(alike))].tolist()
    return sorted(drawn)
