"""The epoch that a protocol evaluates, the C-index of each fold there, and each patient's risk and survival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccl.data.intervals import survival_at
from ccl.evaluate import GIVEN, INNER
from ccl.evaluate.bootstrap import pooled_interval
from ccl.evaluate.concordance import concordance_index
from ccl.evaluate.folds import FoldRun, survival_columns
from ccl.evaluate.repeats import pooled_concordance, split_repeats
from ccl.io.files import number_or_none


@dataclass(frozen=True)
class FoldScore:
    """The result of one seed of one fold at the epoch that the protocol evaluates."""

    fold: int
    seed: int
    epoch: int
    c_index: float | None
    """None if no pair of the fold's test patients is comparable."""
    n_test: int
    n_events: int


CHOSEN_BY = {
    "last": {"epoch": True},
    GIVEN: {"epoch": True},
    "best-on-test": {"c_index": True, "epoch": True},
    INNER: {"c_index_inner": True, "epoch": False},
}
"""By what each protocol ranks epochs, the most important first; False where smaller is better."""


def score_epochs(run: FoldRun) -> pd.DataFrame:
    """Return the C-index after every epoch.

    Returns
    -------
    DataFrame
        ``seed``, ``epoch``, ``c_index`` (of the test patients, NaN if none), and ``c_index_inner`` if training held
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
    evaluated, without a C-index, after its last.  ``inner`` takes the earlier epoch of a tie.
    """
    ranks = CHOSEN_BY[protocol]
    scores = []
    for seed, rows in epochs.groupby("seed"):
        # NaN sorts first, so a fold without any C-index takes its last epoch.
        chosen = rows.sort_values(list(ranks), ascending=list(ranks.values()), na_position="first").iloc[-1]
        epoch = int(chosen["epoch"])
        tested = run.predictions[(run.predictions["seed"] == seed) & (run.predictions["epoch"] == epoch)]
        deaths = int((tested["censorship"] == 0).sum())
        scores.append(
            FoldScore(run.fold, int(str(seed)), epoch, number_or_none(chosen["c_index"]), len(tested), deaths)
        )
    return scores


def pool_risks(runs: Sequence[FoldRun], scores: Sequence[FoldScore]) -> pd.DataFrame:
    """Return one out-of-fold risk per patient, the mean over seeds and over the folds that tested the patient.

    Returns
    -------
    DataFrame
        ``fold`` (several, separated by a space, in repeated cross-validation), ``patient_id`` (sorted), ``months``,
        ``censorship``, ``risk``, ``group``: ``high`` above the median risk, else ``low``, and in repeated
        cross-validation ``risk_1``, ``risk_2``, ...: the risk of each repeat.
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
    columns = ["fold", "patient_id", "months", "censorship", "risk", "group"]
    repeats = split_repeats(runs)
    if len(repeats) > 1:
        for number, own in enumerate(repeats, start=1):
            rows = tested[tested["fold"].isin([run.fold for run in own])]
            risks[f"risk_{number}"] = rows.groupby("patient_id")["risk"].mean().to_numpy()
            columns.append(f"risk_{number}")
    return risks[columns]


def pool_survival(
    runs: Sequence[FoldRun], scores: Sequence[FoldScore], months: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the out-of-fold probability of each patient to be alive at some times, the mean over seeds.

    It is read from the survival curve of :func:`ccl.data.intervals.survival_at`.

    Returns
    -------
    ndarray, shape (P, T)
        Patients in the order of :func:`pool_risks`; NaN where the fold does not predict survival up to this time.
    """
    patients, parts = [], []
    for run in runs:
        judged = _judged(run, scores)
        patients.append(judged["patient_id"].to_numpy())
        parts.append(survival_at(judged[survival_columns(len(run.edges))], run.edges, months))
    known, place = np.unique(np.concatenate(patients), return_inverse=True)
    sums = np.zeros((len(known), len(months)))
    np.add.at(sums, place, np.concatenate(parts))
    return sums / np.bincount(place)[:, None]


def _judged(run: FoldRun, scores: Sequence[FoldScore]) -> pd.DataFrame:
    """Return the predictions of a fold at the epoch at which each seed is evaluated."""
    chosen = pd.DataFrame([(score.seed, score.epoch) for score in scores if score.fold == run.fold])
    return run.predictions.merge(chosen.set_axis(["seed", "epoch"], axis=1))


def summarise(scores: Sequence[FoldScore], risks: pd.DataFrame) -> dict[str, Any]:
    """Return the C-index of a protocol: per fold and seed, mean and spread over folds, over seeds, and pooled.

    In repeated cross-validation ``pooled`` is the mean over ``repeats``, and ``std_over_repeats`` their sample standard
    deviation.

    Seeds are averaged within a fold first.  ``std`` is the population standard deviation over folds, and
    ``std_over_seeds`` the sample standard deviation of the seeds' means over folds: seeds are a sample of many.
    Folds without a C-index are null in ``folds`` and do not enter means and standard deviations.
    """
    table = pd.DataFrame([asdict(score) for score in scores]).astype({"c_index": float})
    per_fold = table.groupby("fold")["c_index"].mean().dropna()
    per_seed = table.groupby("seed")["c_index"].mean()
    pooled = pooled_concordance(risks)
    repeats = {}
    if len(pooled) > 1:
        spread = number_or_none(float(np.std(pooled, ddof=1)))
        repeats = {"repeats": [number_or_none(c) for c in pooled], "std_over_repeats": spread}
    return {
        "folds": [asdict(score) for score in scores],
        "mean": number_or_none(per_fold.mean()),
        "std": number_or_none(per_fold.std(ddof=0)),
        "seeds": [{"seed": int(str(seed)), "mean": number_or_none(mean)} for seed, mean in per_seed.items()],
        "std_over_seeds": number_or_none(per_seed.std(ddof=1)),
        "pooled": number_or_none(float(np.mean(pooled))),
        "pooled_interval": pooled_interval(risks),
        **repeats,
    }
