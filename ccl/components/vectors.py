"""Knowledge components of the test patients of a fold, computed by its networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ccl.data.batch import Batch, Outcomes
from ccl.data.intervals import interval_labels
from ccl.data.tables import Tables
from ccl.evaluate.folds import FoldRun
from ccl.methods.interface import SurvivalModel, risk
from ccl.train.reload import check_risk, check_tables, load_networks, read_batch


@dataclass(frozen=True)
class Vectors:
    """The components of one fold: S seeds, P test patients, T components, d channels."""

    fold: int
    components: tuple[str, ...]
    values: NDArray[np.float64]
    """(S, P, T, d)"""
    patients: pd.DataFrame
    """A row for each patient, sorted: ``patient_id``, ``group`` (1 the shortest survival), ``censorship``, ``risk``
    (after the last epoch, the mean over seeds)."""


def vectors_of(run: FoldRun, tables: Tables) -> Vectors:
    """Return the components of all complete test patients of a run; others do not have all of them.

    Raises
    ------
    ModelError
        The method has no components, or a patient lacks what it reads.
    InputError
        The networks were not trained on these files.
    """
    last = run.predictions[run.predictions["epoch"] == run.epochs]
    last = last[~last["patient_id"].isin(list(run.facts.get("lacking", ())))]
    patients = (
        last.groupby("patient_id")
        .agg(months=("months", "first"), censorship=("censorship", "first"), risk=("risk", "mean"))
        .reset_index()
    )
    check_tables(run, list(patients["patient_id"]), tables)
    loaded = load_networks(run)
    networks = [
        [_one(model, read_batch(patient, tables, scalers)) for patient in patients["patient_id"]]
        for model, scalers in loaded
    ]
    risks = np.mean([[found for _, found in network] for network in networks], axis=0)
    for patient, found, expected in zip(patients["patient_id"], risks, patients["risk"], strict=True):
        check_risk(run, patient, found=found, expected=expected)
    columns = ["patient_id", "group", "censorship", "risk"]
    return Vectors(
        fold=run.fold,
        components=tuple(networks[0][0][0]),
        values=np.array([[list(vectors.values()) for vectors, _ in network] for network in networks]),
        patients=patients.assign(group=_groups(loaded[0][0], patients, run.edges))[columns],
    )


@torch.no_grad()
def _one(model: SurvivalModel, batch: Batch) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Return the components (d,) of one patient, and the risk."""
    vectors = {name: vector[0, 0].double().numpy() for name, vector in model.decomposed(batch).items()}
    return vectors, float(risk(model(batch).logits))


def _groups(model: SurvivalModel, patients: pd.DataFrame, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the risk group (P,) of each patient, 1 the shortest survival."""
    months = patients["months"].to_numpy(dtype=np.float64)
    columns = interval_labels(months, edges), patients["censorship"].to_numpy(np.float32), months.astype(np.float32)
    labels, censorship, followed = (torch.from_numpy(values)[None] for values in columns)
    groups: NDArray[np.int64] = model.risk_groups(Outcomes(labels, censorship, followed))[0].numpy() + 1
    return groups
