"""Loading the networks of a trained fold to reproduce the stored predictions of its test patients."""

from __future__ import annotations

from collections.abc import Sequence

from ccl.data.batch import Batch
from ccl.data.patients import read_patients
from ccl.data.scaling import Scalers
from ccl.data.tables import Tables
from ccl.evaluate.folds import FoldRun
from ccl.io.errors import InputError, ModelError
from ccl.methods.interface import SurvivalModel
from ccl.train.store import load_model

RISK_TOLERANCE = 1e-4
"""Largest difference in risk of a reproduced prediction, such as on another device or with one seed."""


def load_networks(run: FoldRun) -> list[tuple[SurvivalModel, Scalers]]:
    """Return the network of each seed of a fold, in evaluation mode, with its scalers.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    return [load_model(run.folder / "model.safetensors", seed) for seed in run.facts["seeds"]]


def read_batch(patient: str, tables: Tables, scalers: Scalers) -> Batch:
    """Return the batch of one patient for prediction."""
    return next(scalers.scale(read_patients(tables, [patient])).batches())


def check_tables(run: FoldRun, patients: Sequence[str], tables: Tables) -> None:
    """Raise an error if genes or covariates differ from those of the run, or data of some patients are missing.

    Raises
    ------
    InputError
        The gene families, their columns or the covariates differ.
    ModelError
        A patient lacks what the method reads.
    """
    families = [(family.name, list(family.columns)) for family in tables.families]
    if families != list(run.facts["families"].items()):
        raise InputError(
            "the genes are not those that the run was trained on",
            where=str(run.folder),
            found=", ".join(f"{name} with {len(columns)} columns" for name, columns in families),
            expected=", ".join(
                f"{name} with {len(columns)} columns" for name, columns in run.facts["families"].items()
            ),
            todo="give the genomics file that the run was trained on, or train it again",
        )
    covariates = list(tables.clinical.columns) if tables.clinical else []
    trained_on = run.facts.get("covariates", [])
    if covariates != trained_on:
        raise InputError(
            "the covariates are not those that the run was trained on",
            where=str(run.folder),
            found=", ".join(covariates),
            expected=", ".join(trained_on),
            todo="give the clinical file that the run was trained on, or train it again",
        )
    for patient, reason in tables.left_out(patients).items():
        raise ModelError(
            "the patient lacks what the method reads",
            where=f"patient {patient}",
            found=reason,
            expected="the files that the run was trained on",
            todo="give the files of the run",
        )


def check_risk(run: FoldRun, patient: str, *, found: float, expected: float) -> None:
    """Raise InputError if the files do not reproduce the stored prediction of the run.

    Raises
    ------
    InputError
        The risk differs.
    """
    if abs(found - expected) > RISK_TOLERANCE:
        raise InputError(
            "the files do not reproduce the risk that the run predicted",
            where=f"{run.folder}, patient {patient}",
            found=f"risk {found:.5f}",
            expected=f"{expected:.5f}, as in predictions.csv after the last epoch",
            todo="give the genomics, clusters and features that the run was trained on, or train it again",
        )
