"""Reproducing the stored prediction of a test patient with the networks of its fold."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ccl.data.bags import Bags
from ccl.data.batch import Batch
from ccl.data.fold import Scaler, Tables
from ccl.evaluate.folds import FoldRun
from ccl.io.errors import InputError, ModelError

RISK_TOLERANCE = 1e-4
"""Largest difference between a reproduced and a stored risk; another device or batched seeds change the rounding."""


def batch_of(patient: str, tables: Tables, scalers: Mapping[str, Scaler]) -> Batch:
    """Return the batch of one patient, as a method reads it to predict."""
    genes = [scalers[f.name].apply(f.values[tables.genomic_rows([patient])]) for f in tables.families]
    centres = bag = None
    if tables.clusters is not None:
        centres = torch.from_numpy(tables.clusters.centres[tables.cluster_rows([patient])])[None]
    if tables.members is not None:
        bag = next(Bags([tables.members.bags[patient]], device=torch.device("cpu"), keep=False).stream([0]))
    return Batch(tuple(torch.from_numpy(values)[None] for values in genes), centres, None, bag)


def check_patient(patient: str, tables: Tables) -> None:
    """Raise ModelError if a patient lacks an input of the method."""
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
    """Raise InputError if the files do not reproduce the stored risk of a patient."""
    if abs(found - expected) > RISK_TOLERANCE:
        raise InputError(
            "the files do not give the risk that the run predicted",
            where=f"{run.folder}, patient {patient}",
            found=f"risk {found:.5f}",
            expected=f"{expected:.5f}, as in predictions.csv after the last epoch",
            todo="give the genomics, clusters and features that the run was trained on, or train it again",
        )
