"""The evaluate stage: predictions of all folds in, C-index, survival curves and tests out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ccl.evaluate import PROTOCOLS
from ccl.evaluate.folds import NAMES, FoldRun, read_folds
from ccl.evaluate.protocols import judge_fold, pool_risks, score_epochs, summarise
from ccl.evaluate.survival import compare_groups, kaplan_meier, t_test
from ccl.files import write_json, write_table


def evaluate_runs(*, runs: Sequence[Path], out: Path) -> None:
    """Judge the folds of a method and write ``evaluation.json``, ``risks.csv`` and ``curves.csv``.

    Parameters
    ----------
    runs : sequence of Path
        The fold folders that ``train`` wrote, in any order.
    out : Path
        Folder of the results.

    Raises
    ------
    InputError
        A file is missing or incomplete; the folds were not trained alike; a fold is given twice; or some patients
        are tested more often than others.
    """
    folds = read_folds(runs)
    epochs = [score_epochs(fold) for fold in folds]
    protocols, risks, curves = {}, [], []
    for protocol in PROTOCOLS:
        scores = [
            score for fold, table in zip(folds, epochs, strict=True) for score in judge_fold(fold, table, protocol)
        ]
        pooled = pool_risks(folds, scores)
        protocols[protocol] = {
            **summarise(scores, pooled),
            "kaplan_meier": compare_groups(pooled),
            "t_test": t_test(pooled),
        }
        pooled.insert(0, "protocol", protocol)
        risks.append(pooled)
        curves += [_curve(protocol, str(group), rows) for group, rows in pooled.groupby("group")]
    write_table(out / "risks.csv", pd.concat(risks))
    write_table(out / "curves.csv", pd.concat(curves))
    write_json(out / "evaluation.json", {**_facts(folds, risks[0]), "protocols": protocols})


def _curve(protocol: str, group: str, rows: pd.DataFrame) -> pd.DataFrame:
    curve = kaplan_meier(rows["months"], rows["censorship"])
    curve.insert(0, "protocol", protocol)
    curve.insert(1, "group", group)
    return curve


def _facts(folds: Sequence[FoldRun], risks: pd.DataFrame) -> dict[str, Any]:
    """Return what the folds have in common, what was found while training, and whom they could not test."""
    return {
        **{name: folds[0].facts[name] for name in NAMES},
        **{name: _mean_of_folds(folds, name) for name in ("distance_before_alignment", "distance_after_alignment")},
        "n_patients": len(risks),
        "n_events": int((risks["censorship"] == 0).sum()),
        "left_out": {patient: reason for fold in folds for patient, reason in sorted(fold.facts["left_out"].items())},
    }


def _mean_of_folds(folds: Sequence[FoldRun], name: str) -> float | None:
    """Return the mean over folds and seeds of what training found under `name`; None where it found nothing."""
    found = [number for fold in folds for number in fold.facts["facts"].get(name, ())]
    return sum(found) / len(found) if found else None
