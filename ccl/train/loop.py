"""The training loop: trains all seeds of one method on one fold side by side."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ccl.data.batch import Batch, Outcomes, Shape
from ccl.data.fold import Fold
from ccl.data.patients import Side
from ccl.evaluate.concordance import concordance_index
from ccl.io.errors import ModelError
from ccl.io.progress import progress
from ccl.methods.declaration import Recipe
from ccl.methods.interface import ClosedForm, SurvivalModel, risk, survival
from ccl.nn.likelihood import survival_nll
from ccl.nn.replicas import Replicas
from ccl.train.dropping import Change, modality_dropout
from ccl.train.optimisers import Optimiser, make_optimiser

STEPS_AHEAD = 16
"""Steps whose patients the network receives at once: see :class:`ccl.nn.replicas.InputLinear`."""


@dataclass
class Course:
    """The progress of training, from which a killed run can continue."""

    epoch: int = 0
    """The last complete epoch."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Rows of ``history.csv``."""
    logits: list[Tensor] = field(default_factory=list)
    """(S, P, n) logits of the test patients after each epoch."""
    chance: Sequence[Mapping[str, Any]] = ()
    """State of the replicas' random numbers."""
    optimiser: Mapping[str, Tensor] = field(default_factory=dict)
    """State of the optimiser."""


@dataclass(frozen=True)
class Trained:
    """The result of training."""

    model: SurvivalModel
    history: pd.DataFrame
    """``history.csv``: a row per seed and epoch."""
    predictions: pd.DataFrame
    """``predictions.csv``: a row per seed, epoch and test patient."""
    step_seconds: float | None
    """Seconds of a training step, the median over epochs; None if an earlier call had run all epochs."""
    predict_seconds: float | None
    """Seconds of the prediction for a test patient, likewise."""
    facts: Mapping[str, Sequence[float]]
    """The result of :meth:`SurvivalModel.describe` for the training patients, a number per seed."""


def train_replicas(
    network: Callable[[Shape, Any, Replicas], SurvivalModel],
    hyper: Any,
    fold: Fold,
    *,
    recipe: Recipe,
    seeds: tuple[int, ...],
    drop_modality: float = 0.0,
    resume: Callable[[SurvivalModel], Course] = lambda model: Course(),
    save: Callable[[SurvivalModel, Course], None] = lambda model, course: None,
) -> Trained:
    """Train a method on one patient at a time, in a new order each epoch.

    Every epoch is evaluated, but none is selected: the returned model is that of the last epoch.

    Parameters
    ----------
    network : function
        Makes the network of a method (:func:`ccl.methods.build.build`).
    hyper : Hyper
        The method's hyper-parameters.
    recipe : Recipe
        Optimiser, epochs and sampling.
    seeds : tuple of int
        One replica each.  A method that reads bags trains one seed at a time, as bags differ in size.
    drop_modality : float
        Rate of :func:`ccl.train.dropping.modality_dropout`.
    resume : function
        Gives a new model the state that an earlier call saved, and returns its progress.
    save : function
        Called after each epoch.

    Raises
    ------
    ModelError
        A loss or a prediction is not finite.  The message names the patient, the seed and the epoch; the last saved
        state is from the epoch before.
    """
    replicas = Replicas(seeds, fold.train.device)
    model: SurvivalModel = network(fold.shape, hyper, replicas).to(fold.train.device)
    outcomes = fold.train.outcomes(fold.edges)
    model.begin(outcomes, fold.train.clinical)
    course = resume(model)
    optimiser = make_optimiser(model, recipe, steps=len(fold.train.patients), bags=fold.train.bags is not None)
    if course.chance:
        replicas.restore(course.chance)
        optimiser.restore(course.optimiser)
    weights = fold.train.sampling_weights(fold.edges) if recipe.sampling == "weighted" else None
    drop = modality_dropout(drop_modality, fold.shape, replicas)
    step_seconds: list[float] = []
    predict_seconds: list[float] = []
    epochs = 1 if isinstance(model, ClosedForm) else recipe.epochs
    for epoch in progress(range(course.epoch + 1, epochs + 1), _wording(seeds), unit="epoch"):
        start, when = time.perf_counter(), f"epoch {epoch}"
        orders = replicas.orders(len(fold.train.patients), weights)
        if isinstance(model, ClosedForm):
            losses = solve(model, fold.train, outcomes=outcomes, orders=orders)
        else:
            losses = train_epoch(
                model, optimiser, fold.train, outcomes=outcomes, orders=orders, nll_alpha=recipe.nll_alpha, drop=drop
            )
        step_seconds.append((time.perf_counter() - start) / orders.shape[1])
        _check_finite(losses.values(), fold.train, orders, seeds=seeds, when=when)
        logits, seconds = _predict(model, fold, seeds=seeds, when=when)
        predict_seconds.append(seconds)
        course.history += _rows(fold, losses, logits, seeds=seeds, epoch=epoch, seconds=time.perf_counter() - start)
        course.epoch, course.chance, course.optimiser = epoch, replicas.state(), optimiser.state()
        course.logits.append(logits["test"])
        save(model, course)
    facts = model.eval().describe(fold.train.batch())
    return Trained(
        model,
        pd.DataFrame(course.history).sort_values(["seed", "epoch"], kind="stable"),
        _predictions(course.logits, fold.test, seeds),
        _median(step_seconds),
        _median(predict_seconds),
        {name: values.tolist() for name, values in facts.items()},
    )


def _predict(model: SurvivalModel, fold: Fold, *, seeds: Sequence[int], when: str) -> tuple[dict[str, Tensor], float]:
    """Return the logits (S, P, n) of each side of the fold, and the seconds per test patient."""
    logits = {"train": _logits(model, fold.train, seeds=seeds, when=when)}
    if fold.inner:
        logits["inner"] = _logits(model, fold.inner, seeds=seeds, when=when)
    start = time.perf_counter()
    logits["test"] = _logits(model, fold.test, seeds=seeds, when=when)
    return logits, (time.perf_counter() - start) / len(fold.test.patients)


def _rows(
    fold: Fold,
    losses: Mapping[str, Tensor],
    logits: Mapping[str, Tensor],
    *,
    seeds: Sequence[int],
    epoch: int,
    seconds: float,
) -> list[dict[str, Any]]:
    """Return the rows of an epoch in ``history.csv``, one per seed."""
    rows = []
    for number, seed in enumerate(seeds):
        parts = {name: float(values[number].double().mean()) for name, values in losses.items()}
        c_index = {f"c_index_{side}": _c_index(getattr(fold, side), logits[side][number]) for side in logits}
        rows.append({"seed": seed, "epoch": epoch, "loss": sum(parts.values()), **parts, **c_index, "seconds": seconds})
    return rows


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _wording(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"


def train_epoch(
    model: SurvivalModel,
    optimiser: Optimiser,
    side: Side,
    *,
    outcomes: Outcomes,
    orders: Tensor,
    nll_alpha: float = 0.0,
    drop: Change | None = None,
) -> dict[str, Tensor]:
    """Train on one patient per column of `orders` (S, P); return the parts of the loss by name, (S, P), on the CPU.

    `drop` changes the patients of the next steps before the network receives them.
    """
    model.train()
    rows: list[Tensor] = []
    names: list[str] = []
    expect = model.expect if optimiser.settles else lambda _: None
    batches = _patients(side, outcomes, orders, expect=expect, drop=drop)
    for number, batch in enumerate(batches, start=1):
        assert batch.outcomes is not None, "training batches have outcomes"
        output = model(batch)
        names = ["nll", *output.aux]
        nll = survival_nll(output.logits, batch.outcomes, alpha=nll_alpha)
        parts = torch.stack([nll, *output.aux.values()])
        optimiser.step(parts.sum(), last=number == orders.shape[1])
        rows.append(parts.detach())
    # The losses are read only here, so a GPU never waits for them within the epoch.
    return dict(zip(names, torch.stack(rows, dim=2).cpu(), strict=True))


@torch.no_grad()
def solve(model: ClosedForm, side: Side, *, outcomes: Outcomes, orders: Tensor) -> dict[str, Tensor]:
    """Fit a model in one step; return the loss of each patient, in the order of `orders` (S, P), on the CPU."""
    model.solve(side.batches, outcomes)
    logits = torch.cat([model(batch).logits for batch in side.batches()], dim=1)
    shared = Outcomes(*(x.expand(len(orders), -1) for x in (outcomes.labels, outcomes.censorship, outcomes.months)))
    losses = [survival_nll(logits[:, [patient]], shared.one(patient)) for patient in range(logits.shape[1])]
    return {"nll": torch.stack(losses, dim=1).cpu().gather(1, orders.cpu())}


def _patients(
    side: Side, outcomes: Outcomes, orders: Tensor, *, expect: Callable[[Batch], None], drop: Change | None
) -> Iterator[Batch]:
    """Yield one patient of each replica at a time, after `expect` has received those of the next steps."""
    bags = side.bags.stream(orders[0].tolist()) if side.bags else itertools.repeat(None)
    for block in torch.split(orders, STEPS_AHEAD, dim=1):
        patients = side.draw(block, outcomes)
        if drop is not None:
            patients = drop(patients)
        expect(patients)
        # With hundreds of families, a slice of each at every step would cost more than a small network.
        genes, rest = [torch.split(family, 1, dim=1) for family in patients.genomics], replace(patients, genomics=())
        for step in range(block.shape[1]):
            yield replace(rest.one(step), genomics=tuple(family[step] for family in genes), bag=next(bags))


def _check_finite(values: Any, side: Side, rows: Tensor | None, *, seeds: Sequence[int], when: str) -> None:
    """Raise :class:`ModelError` with the first patient and seed whose number among `values` is not finite.

    Each of `values` is (S, P), in the order of `rows` (S, P) if given, else of the patients.
    """
    finite = torch.stack([torch.isfinite(value).cpu() for value in values]).all(dim=0)
    if finite.all():
        return
    number, place = (~finite).nonzero()[0].tolist()
    patient = place if rows is None else int(rows[number, place])
    raise ModelError(
        "training diverged: a loss or a prediction is not a finite number",
        where=f"patient {side.patients[patient]}, {when}, seed {seeds[number]}",
        found=f"{int((~finite).sum())} of {finite.numel()} patients of the epoch, all seeds counted",
        expected="finite losses and predictions",
        todo="lower `train: lr`, or look for extreme values in this patient's data",
    )


@torch.no_grad()
def _logits(model: SurvivalModel, side: Side, *, seeds: Sequence[int], when: str) -> Tensor:
    """Return the logits (S, P, n) of some patients on the CPU; `when` is for the error message."""
    model.eval()
    logits = torch.cat([model(batch).logits.cpu() for batch in side.batches()], dim=1).contiguous()
    _check_finite(logits.unbind(dim=2), side, None, seeds=seeds, when=when)
    return logits


def _c_index(side: Side, logits: Tensor) -> float:
    return concordance_index(side.months, side.censorship, risk(logits).numpy())


def _predictions(epochs: Sequence[Tensor], side: Side, seeds: Sequence[int]) -> pd.DataFrame:
    """Return ``seed``, ``epoch``, ``patient_id``, ``months``, ``censorship``, ``risk`` and ``survival_1`` ..."""
    # (S, E, P, n)
    logits = torch.stack(list(epochs), dim=1)
    replicas, count, patients, intervals = logits.shape
    curves = survival(logits).reshape(-1, intervals).numpy()
    table = pd.DataFrame(
        {
            "seed": np.repeat(seeds, count * patients),
            "epoch": np.tile(np.repeat(np.arange(1, count + 1), patients), replicas),
            "patient_id": np.tile(side.patients, replicas * count),
            "months": np.tile(side.months, replicas * count),
            "censorship": np.tile(side.censorship, replicas * count),
            "risk": risk(logits).flatten().numpy(),
        }
    )
    return table.assign(**{f"survival_{k}": values for k, values in enumerate(curves.T, start=1)})
