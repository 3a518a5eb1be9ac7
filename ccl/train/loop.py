"""The training loop: one method, one fold, one seed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ccl.errors import ModelError
from ccl.evaluate.concordance import concordance_index
from ccl.models.interface import Batch, SurvivalModel, risk, survival
from ccl.progress import progress
from ccl.train import TrainSettings
from ccl.train.data import Fold, Side
from ccl.train.losses import survival_nll


@dataclass(frozen=True)
class Trained:
    """What training with one seed left."""

    model: SurvivalModel
    history: pd.DataFrame
    """As ``history.csv``: a row per epoch."""
    predictions: pd.DataFrame
    """As ``predictions.csv``: a row per epoch and test patient."""


def train_seed(module: ModuleType, hyper: Any, fold: Fold, *, settings: TrainSettings, seed: int) -> Trained:
    """Train a method by stochastic gradient descent on one patient at a time, in a new order each epoch.

    No epoch is preferred: every one is evaluated, and the model is that of the last.

    Parameters
    ----------
    module : module
        A method (see :mod:`ccl.models`).
    hyper : Hyper
        Its hyper-parameters.

    Raises
    ------
    ModelError
        A loss or a prediction is no longer finite; the message names the patient and the epoch.
    """
    torch.manual_seed(seed)
    model: SurvivalModel = module.Model(fold.shape, hyper).to(fold.train.genomics[0].device)
    # The fused step reads and writes each weight once, and halves the time of a step of these small networks.
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    batches = fold.train.training_batches(fold.edges)
    history, predictions = [], []
    for epoch in progress(range(1, settings.epochs + 1), f"seed {seed}", unit="epoch"):
        start, when = time.perf_counter(), f"epoch {epoch}, seed {seed}"
        losses, order = _train_epoch(model, optimizer, batches=batches)
        _check_finite(losses, [fold.train.patients[index] for index in order], when=when)
        seen, unseen = predict(model, fold.train, when=when), predict(model, fold.test, when=when)
        history.append(
            {
                "seed": seed,
                "epoch": epoch,
                "loss": losses.sum(axis=1).mean(),
                **losses.mean(),
                "c_index_train": concordance_index(seen["months"], seen["censorship"], seen["risk"]),
                "c_index_test": concordance_index(unseen["months"], unseen["censorship"], unseen["risk"]),
                "seconds": time.perf_counter() - start,
            }
        )
        predictions.append(unseen.assign(seed=seed, epoch=epoch))
    table = pd.concat(predictions, ignore_index=True)
    return Trained(
        model.eval(),
        pd.DataFrame(history),
        table[["seed", "epoch", *table.columns.drop(["seed", "epoch"])]],
    )


def _train_epoch(
    model: SurvivalModel, optimizer: torch.optim.Optimizer, *, batches: Sequence[Batch]
) -> tuple[pd.DataFrame, list[int]]:
    """Take one step per patient; return the parts of the loss of each step, and whose step it was."""
    model.train()
    order: list[int] = torch.randperm(len(batches)).tolist()
    rows: list[Tensor] = []
    names: list[str] = []
    for index in order:
        batch = batches[index]
        assert batch.outcomes is not None, "training batches have outcomes"
        output = model(batch)
        names = ["nll", *output.aux]
        parts = torch.stack([survival_nll(output.logits, batch.outcomes), *output.aux.values()])
        optimizer.zero_grad()
        parts.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rows.append(parts.detach())
    # Only here are the losses read, so that a GPU never waits for them within the epoch.
    return pd.DataFrame(torch.stack(rows).cpu().numpy().astype(np.float64), columns=names), order


def _check_finite(values: pd.DataFrame, patients: Sequence[str], *, when: str) -> None:
    """Raise :class:`ModelError` naming the first patient whose row of `values` (P rows) is not finite."""
    finite = np.isfinite(values.to_numpy()).all(axis=1)
    if not finite.all():
        raise ModelError(
            "training diverged: a loss or a prediction is not a finite number",
            where=f"patient {patients[int(np.argmin(finite))]}, {when}",
            found=f"{np.count_nonzero(~finite)} of {len(patients)} patients of the epoch",
            expected="finite losses and predictions",
            todo="lower `train: lr`, or look for extreme values in this patient's data",
        )


@torch.no_grad()
def predict(model: SurvivalModel, side: Side, *, when: str) -> pd.DataFrame:
    """Return ``patient_id``, ``months``, ``censorship``, ``risk`` and ``survival_1`` ... of some patients.

    Raises
    ------
    ModelError
        A prediction is not finite; the message says `when`.
    """
    logits = model.eval()(side.batch()).logits
    curves = survival(logits).cpu().numpy()
    values = {"risk": risk(logits).cpu().numpy(), **{f"survival_{k}": s for k, s in enumerate(curves.T, start=1)}}
    _check_finite(pd.DataFrame(values), side.patients, when=when)
    known = {"patient_id": side.patients, "months": side.months, "censorship": side.censorship}
    return pd.DataFrame(known | values)
