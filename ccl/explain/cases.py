"""Choice of the patients to explain; each is explained by the fold that had the patient in its test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ccl.config.sections import ExplainSettings
from ccl.evaluate.folds import FoldRun
from ccl.io.errors import ConfigError


@dataclass(frozen=True)
class Case:
    """A patient, and the run whose test set they were in."""

    patient: str
    run: FoldRun
    risk: float
    """Predicted after the last epoch, the mean over seeds."""
    rank: int
    """Rank among all risks, 1 for the highest."""
    patients: int
    """Number of patients with a risk."""
    months: float
    censorship: int


def choose_cases(runs: Sequence[FoldRun], settings: ExplainSettings) -> list[Case]:
    """Return the patients that the settings ask for, by descending risk, each with the fold that tested them.

    In repeated cross-validation it is the first such fold.

    Raises
    ------
    ConfigError
        No patients are requested, or a patient is not a test patient of any run, or lacks slides or omics.
    """
    if not settings.patients and not settings.count:
        raise ConfigError(
            "no patients to explain",
            where="config, explain",
            found="count: 0 and no names of patients",
            expected="a count of 1 or more, or names of patients",
            todo="set one of the two",
        )
    tested = pd.concat(
        [run.predictions[run.predictions["epoch"] == run.epochs].assign(run=number) for number, run in enumerate(runs)]
    )
    first = tested[tested["run"] == tested.groupby("patient_id")["run"].transform("min")]
    answers = first.groupby("patient_id").agg(
        run=("run", "first"), risk=("risk", "mean"), months=("months", "first"), censorship=("censorship", "first")
    )
    ranked = answers.sort_values("risk", ascending=False, kind="stable")
    unknown = [patient for patient in settings.patients if patient not in ranked.index]
    if unknown:
        raise ConfigError(
            "a patient to explain was never a test patient",
            where="config, explain: patients",
            found=", ".join(unknown),
            expected=f"patients in the test set of a fold, such as {', '.join(ranked.index[:3])}",
            todo="name test patients of these runs; a model is not used to explain patients that it was trained on",
        )
    lacking = {patient: lacks for run in runs for patient, lacks in run.facts.get("lacking", {}).items()}
    _check_complete(settings.patients, lacking)
    complete = [patient for patient in ranked.index if patient not in lacking]
    wanted = set(settings.patients) or _extremes(complete, settings.count)
    return [
        Case(
            str(row.Index),
            runs[int(str(row.run))],
            float(str(row.risk)),
            rank,
            len(ranked),
            float(str(row.months)),
            int(str(row.censorship)),
        )
        for rank, row in enumerate(ranked.itertuples(), start=1)
        if row.Index in wanted
    ]


def _check_complete(patients: Sequence[str], lacking: Mapping[str, str]) -> None:
    incomplete = [f"{patient} ({lacking[patient]})" for patient in patients if patient in lacking]
    if incomplete:
        raise ConfigError(
            "a patient to explain is incomplete",
            where="config, explain: patients",
            found=", ".join(incomplete),
            expected="patients with slides and all omics tables",
            todo="name other patients",
        )


def _extremes(ranked: Sequence[str], count: int) -> set[str]:
    """Return `count` patients from both ends of the ranking, one more from the start if the count is odd."""
    low = count // 2
    return {*ranked[: count - low], *ranked[len(ranked) - low :]} if count < len(ranked) else set(ranked)
