"""A test patient, predicted once more: what the networks of a fold read of them, and that it is the same prediction."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ccl.data.bags import Bags
from ccl.data.batch import Batch
from ccl.data.fold import Scaler, Tables
from ccl.evaluate.folds import FoldRun
from ccl.io.errors import InputError, ModelError

RISK_TOLERANCE = 1e-4
"""A risk computed again may differ by this much: another device, seeds alone instead of side by side."""


def batch_of(patient: str, tables: Tables, scalers: Mapping[str, Scaler]) -> Batch:
    """Return one patient as a method sees them when it predicts."""
    genes = [scalers[f.name].apply(f.values[tables.genomic_rows([patient])]) for f in tables.families]
    centres = bag = None
    if tables.clusters is not None:
        centres = torch.from_numpy(tables.clusters.centres[tables.cluster_rows([patient])])[None]
    if tables.members is not None:
        bag = next(Bags([tables.members.bags[patient]], device=torch.device("cpu"), keep=False).stream([0]))
    return Batch(tuple(torch.from_numpy(values)[None] for values in genes), centres, None, bag)


def check_patient(patient: str, tables: Tables) -> None:
    """Refuse a patient that lacks what the method reads."""
    missing = tables.left_out([patient])
    if missing:
        raise ModelError(
            "the patient lacks what the method reads",
            where=f"patient {patient}",
            found=missing[patient],
            expected="the files that the run was trained on",
            todo="give the files of that run",
        )


def check_risk(run: FoldRun, patient: str, *, found: float, expected: float) -> None:
    """Refuse files that give another prediction than the one in the tables of the run."""
    if abs(found - expected) > RISK_TOLERANCE:
        raise InputError(
            "the files do not give the risk that the run predicted",
            where=f"{run.folder}, patient {patient}",
            found=f"risk {found:.5f}",
            expected=f"{expected:.5f}, as in predictions.csv after the last epoch",
            todo="give the genomics, clusters and features that the run was trained on, or train it again",
        )
