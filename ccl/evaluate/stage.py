"""The evaluate stage: predictions of all folds in, C-index, survival curves and tests out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.evaluate import GIVEN, INNER, PROTOCOLS, VERSION
from ccl.evaluate.folds import NAMES, FoldRun, read_folds
from ccl.evaluate.given import read_predictions
from ccl.evaluate.patterns import judge_patterns
from ccl.evaluate.protocols import judge_fold, pool_risks, pool_survival, score_epochs, summarise
from ccl.evaluate.repeats import mean_facts, risk_columns, split_repeats
from ccl.evaluate.survival import compare_groups, kaplan_meier, t_test
from ccl.evaluate.times import judge_times
from ccl.io.files import write_json, write_table
from ccl.io.origin import record


def evaluate_runs(*, runs: Sequence[Path], out: Path, months: Sequence[float] = ()) -> None:
    """Evaluate the folds of a model and write ``out`` as docs/formats.md describes the evaluate stage.

    Parameters
    ----------
    runs : sequence of Path
        The fold folders that ``train`` wrote, in any order.
    out : Path
        Folder of the results.
    months : sequence of float
        Times of the time-dependent statistics; if there are none, the default ones.

    Raises
    ------
    InputError
        A file is missing or incomplete; the folds were not trained alike; or a fold is given twice.
    """
    folds = read_folds(runs)
    _evaluate(folds, [*PROTOCOLS, INNER] if folds[0].inner is not None else PROTOCOLS, out, months)
    names = ("run.json", "predictions.csv", *(("history.csv",) if folds[0].inner is not None else ()))
    _record(out, {"fold": [run.folder / name for run in folds for name in names]}, months)


def evaluate_predictions(*, predictions: Path, out: Path, months: Sequence[float] = ()) -> None:
    """Evaluate a table of predictions made elsewhere, and write the same files as :func:`evaluate_runs`.

    Parameters
    ----------
    predictions : Path
        As in :func:`ccl.evaluate.given.read_predictions`.
    out, months
        As in :func:`evaluate_runs`.

    Raises
    ------
    InputError
        As :func:`ccl.evaluate.given.read_predictions` says.
    """
    _evaluate(read_predictions(predictions), [GIVEN], out, months)
    _record(out, {"predictions": [predictions]}, months)


def _evaluate(folds: Sequence[FoldRun], names: Sequence[str], out: Path, months: Sequence[float]) -> None:
    epochs = [score_epochs(fold) for fold in folds]
    judged = [_judge(folds, epochs, protocol, months) for protocol in names]
    curves = [_curve(one.protocol, str(group), rows) for one in judged for group, rows in one.risks.groupby("group")]
    write_table(out / "risks.csv", pd.concat([one.risks for one in judged]), checksum=True)
    write_table(out / "curves.csv", pd.concat(curves), checksum=True)
    write_table(out / "calibration.csv", pd.concat([one.calibration for one in judged]), checksum=True)
    protocols = {one.protocol: one.facts for one in judged}
    write_json(out / "evaluation.json", {**_facts(folds, judged[0].risks), "protocols": protocols}, checksum=True)


def _record(out: Path, inputs: Mapping[str, Sequence[Path]], months: Sequence[float]) -> None:
    names = ("evaluation.json", "risks.csv", "curves.csv", "calibration.csv")
    outputs = [out / name for name in names]
    record("evaluate", VERSION, outputs=outputs, inputs=inputs, settings={"months": list(months)})


@dataclass(frozen=True)
class Judged:
    """The results of one protocol."""

    protocol: str
    facts: Mapping[str, Any]
    """Its entry in ``evaluation.json``."""
    risks: pd.DataFrame
    """Its rows of ``risks.csv``."""
    calibration: pd.DataFrame
    """Its rows of ``calibration.csv``."""


def _judge(folds: Sequence[FoldRun], epochs: Sequence[pd.DataFrame], protocol: str, months: Sequence[float]) -> Judged:
    scores = [score for fold, table in zip(folds, epochs, strict=True) for score in judge_fold(fold, table, protocol)]
    risks = pool_risks(folds, scores)
    end = min(run.edges[-1] if len(run.edges) else 0.0 for run in folds)
    timed, table = judge_times(risks, partial(pool_survival, folds, scores), months, end=end)
    repeats = split_repeats(folds)
    if len(repeats) > 1:
        each = zip(repeats, risk_columns(risks), strict=True)
        timed = mean_facts(
            [
                judge_times(risks.assign(risk=risks[name]), partial(pool_survival, own, scores), months, end=end)[0]
                for own, name in each
            ]
        )
    facts = {**summarise(scores, risks), **timed, "kaplan_meier": compare_groups(risks), "t_test": t_test(risks)}
    if patterns := judge_patterns(folds, risks):
        facts["patterns"] = patterns
    for rows in (risks, table):
        rows.insert(0, "protocol", protocol)
    return Judged(protocol, facts, risks, table)


def _curve(protocol: str, group: str, rows: pd.DataFrame) -> pd.DataFrame:
    curve = kaplan_meier(rows["months"], rows["censorship"])
    curve.insert(0, "protocol", protocol)
    curve.insert(1, "group", group)
    return curve


def _facts(folds: Sequence[FoldRun], risks: pd.DataFrame) -> dict[str, Any]:
    """Return what the folds have in common, facts from training, and the patients that could not be tested."""
    return {
        **{name: folds[0].facts[name] for name in NAMES},
        **{name: _mean_of_folds(folds, name) for name in ("distance_before_alignment", "distance_after_alignment")},
        "n_patients": len(risks),
        "n_events": int((risks["censorship"] == 0).sum()),
        "left_out": {patient: reason for fold in folds for patient, reason in sorted(fold.facts["left_out"].items())},
    }


def _mean_of_folds(folds: Sequence[FoldRun], name: str) -> float | None:
    """Return the mean over folds and seeds of a fact from training; None if there is none of this name."""
    found = [number for fold in folds for number in fold.facts["facts"].get(name, ())]
    return sum(found) / len(found) if found else None
