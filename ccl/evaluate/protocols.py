"""The epoch that a protocol judges, and what follows from it: the C-index of each fold and each patient's risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.evaluate import GIVEN, INNER
from ccl.evaluate.bootstrap import pooled_interval
from ccl.evaluate.concordance import concordance_index
from ccl.evaluate.folds import FoldRun, survival_columns


@dataclass(frozen=True)
class FoldScore:
    """How one seed of one fold did at the epoch that the protocol judges."""

    fold: int
    seed: int
    epoch: int
    c_index: float | None
    """None where no pair of the fold's test patients is comparable."""
    n_test: int
    n_events: int


CHOSEN_BY = {
    "last": {"epoch": True},
    GIVEN: {"epoch": True},
    "best-on-test": {"c_index": True, "epoch": True},
    INNER: {"c_index_inner": True, "epoch": False},
}
"""What each protocol ranks epochs by, the most important first; False where the smaller is the better."""


def score_epochs(run: FoldRun) -> pd.DataFrame:
    """Return the C-index after every epoch.

    Returns
    -------
    DataFrame
        ``seed``, ``epoch``, ``c_index`` (of the test patients, NaN if none), and ``c_index_inner`` where training held
        patients out.
    """
    rows = [
        (seed, epoch, concordance_index(rows["months"], rows["censorship"], rows["risk"]))
        for (seed, epoch), rows in run.predictions.groupby(["seed", "epoch"])
    ]
    epochs = pd.DataFrame(rows, columns=["seed", "epoch", "c_index"])
    return epochs if run.inner is None else epochs.merge(run.inner)


def judge_fold(run: FoldRun, epochs: pd.DataFrame, protocol: str) -> list[FoldScore]:
    """Pick each seed's epoch out of :func:`score_epochs` and return its score.

    ``best-on-test`` takes the later epoch of a tie.  A fold without a comparable pair has no best epoch and is
    judged, without a C-index, after its last.  ``inner`` takes the earlier epoch of a tie.
    """
    ranks = CHOSEN_BY[protocol]
    scores = []
    for seed, rows in epochs.groupby("seed"):
        # NaN sorts first, so a fold without any C-index falls through to its last epoch.
        chosen = rows.sort_values(list(ranks), ascending=list(ranks.values()), na_position="first").iloc[-1]
        epoch = int(chosen["epoch"])
        tested = run.predictions[(run.predictions["seed"] == seed) & (run.predictions["epoch"] == epoch)]
        deaths = int((tested["censorship"] == 0).sum())
        scores.append(FoldScore(run.fold, int(str(seed)), epoch, _number(chosen["c_index"]), len(tested), deaths))
    return scores


def pool_risks(runs: Sequence[FoldRun], scores: Sequence[FoldScore]) -> pd.DataFrame:
    """Return one out-of-fold risk per patient, the mean over seeds (and over repeats of cross-validation).

    Returns
    -------
    DataFrame
        ``fold`` (several, separated by a space, in repeated cross-validation), ``patient_id`` (sorted), ``months``,
        ``censorship``, ``risk``, and ``group``: ``high`` above the median risk, else ``low``.
    """
    tested = pd.concat([_judged(run, scores).assign(fold=run.fold) for run in runs])
    risks = (
        tested.groupby("patient_id")
        .agg(
            fold=("fold", lambda folds: " ".join(map(str, sorted(set(folds))))),
            months=("months", "first"),
            censorship=("censorship", "first"),
            risk=("risk", "mean"),
        )
        .reset_index()
    )
    risks["group"] = np.where(risks["risk"] > risks["risk"].median(), "high", "low")
    return risks[["fold", "patient_id", "months", "censorship", "risk", "group"]]


def pool_survival(
    runs: Sequence[FoldRun], scores: Sequence[FoldScore], months: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the out-of-fold probability of each patient to be alive at some times, the mean over seeds.

    Between the edges of its fold's intervals predicted survival falls linearly, from 1 at the first.

    Returns
    -------
    ndarray, shape (P, T)
        Patients in the order of :func:`pool_risks`; NaN where the fold predicts no survival, or not so far.
    """
    patients, parts = [], []
    for run in runs:
        judged = _judged(run, scores)
        curves = np.insert(judged[survival_columns(len(run.edges))].to_numpy(dtype=np.float64), 0, 1.0, axis=1)
        # Interpolation is linear in the values at the edges: that of each unit vector is a row of the matrix.
        edges = run.edges if len(run.edges) else np.array([-np.inf])
        matrix = np.stack([np.interp(months, edges, unit, right=np.nan) for unit in np.eye(len(edges))])
        patients.append(judged["patient_id"].to_numpy())
        parts.append(curves @ matrix)
    known, place = np.unique(np.concatenate(patients), return_inverse=True)
    sums = np.zeros((len(known), len(months)))
    np.add.at(sums, place, np.concatenate(parts))
    return sums / np.bincount(place)[:, None]


def _judged(run: FoldRun, scores: Sequence[FoldScore]) -> pd.DataFrame:
    """Return the predictions of a fold at the epoch at which each seed is judged."""
    chosen = pd.DataFrame([(score.seed, score.epoch) for score in scores if score.fold == run.fold])
    return run.predictions.merge(chosen.set_axis(["seed", "epoch"], axis=1))


def summarise(scores: Sequence[FoldScore], risks: pd.DataFrame) -> dict[str, Any]:
    """Return the C-index of a protocol: per fold and seed, mean and spread over folds, over seeds, and pooled.

    Seeds are averaged within a fold first.  ``std`` is the population's (divided by the number of folds), as the folds
    are all there are; ``std_over_seeds`` is that of the seeds' means over folds, and a sample's (divided by one less
    than the number of seeds), as there could be any number of seeds.  Folds without a C-index stand in ``folds`` with
    null and do not enter means and spreads.
    """
    table = pd.DataFrame([asdict(score) for score in scores]).astype({"c_index": float})
    per_fold = table.groupby("fold")["c_index"].mean().dropna()
    per_seed = table.groupby("seed")["c_index"].mean()
    pooled = concordance_index(risks["months"], risks["censorship"], risks["risk"])
    return {
        "folds": [asdict(score) for score in scores],
        "mean": _number(per_fold.mean()),
        "std": _number(per_fold.std(ddof=0)),
        "seeds": [{"seed": int(str(seed)), "mean": _number(mean)} for seed, mean in per_seed.items()],
        "std_over_seeds": _number(per_seed.std(ddof=1)),
        "pooled": _number(pooled),
        "pooled_interval": pooled_interval(risks),
    }


def _number(value: float) -> float | None:
    """Return a float for JSON: None in the place of NaN."""
    return None if math.isnan(value) else float(value)
