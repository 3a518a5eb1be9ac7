"""Training steps of every method, at the sizes of TCGA-BLCA, on the GPU and on the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.blca import shape_for
from ccl.data.batch import Batch
from ccl.data.patients import Side
from ccl.methods import METHODS, hyper, load
from ccl.methods.declaration import Recipe
from ccl.methods.interface import ClosedForm, risk
from ccl.nn.replicas import Replicas
from ccl.train.loop import solve, train_epoch
from ccl.train.optimisers import make_optimiser
from tests.gpu.conftest import difference

PATIENTS, PATCHES = 6, 1000
RECIPE = Recipe("sgd", lr=0.01, weight_decay=1e-5, epochs=1)
TOLERANCE = {"losses": 1e-4, "state": 1e-2, "risk": 1e-4}
"""Of losses, and of what the steps changed of weights and buffers, the relative difference; of risks the absolute."""


class DrawnBags:
    """Stands for the files of the patients' patches."""

    def __init__(self, width: int, device: torch.device) -> None:
        draw = torch.Generator().manual_seed(0)
        self.bags = [torch.randn(1, PATCHES, width, generator=draw).to(device) for _ in range(PATIENTS)]

    def stream(self, order: Iterable[int]) -> Iterator[Tensor]:
        return (self.bags[number] for number in order)


def patients(name: str, device: torch.device) -> Side:
    shape, reads, draw = shape_for(METHODS[name]), METHODS[name].reads, torch.Generator().manual_seed(1)
    centres = torch.randn(PATIENTS, shape.clusters, shape.features, generator=draw).to(device)
    bags: Any = DrawnBags(shape.features, device) if "bags" in reads else None
    return Side(
        patients=tuple(map(str, range(PATIENTS))),
        months=np.array([5.0, 12.0, 20.0, 30.0, 41.0, 60.0]),
        censorship=np.array([0, 0, 1, 0, 0, 1]),
        genomics=tuple(torch.randn(PATIENTS, size, generator=draw).to(device) for size in shape.families),
        centres=centres if "clusters" in reads else None,
        bags=bags,
        clinical=torch.randn(PATIENTS, shape.clinical, generator=draw).to(device) if "clinical" in reads else None,
        device=device,
    )


def train(name: str, device: torch.device) -> dict[str, Tensor]:
    """Return the losses of an epoch, what it changed of the model, and the risks (P,) after it, on the CPU."""
    replicas, side = Replicas((0,), device), patients(name, device)
    model = load(name).Model(shape_for(METHODS[name]), hyper(name, {}), replicas).to(device)
    outcomes = side.outcomes(np.array([0.0, 10.0, 25.0, 40.0, 70.0]))
    model.begin(outcomes)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    orders = replicas.orders(PATIENTS)
    if isinstance(model, ClosedForm):
        losses = solve(model, side, outcomes=outcomes, orders=orders)
    else:
        optimiser = make_optimiser(model, RECIPE, steps=PATIENTS, bags=side.bags is not None)
        losses = train_epoch(model, optimiser, side, outcomes=outcomes, orders=orders)
    changes = [(value - before[key]).flatten().double().cpu() for key, value in model.state_dict().items()]
    with torch.no_grad():
        batches: list[Batch] = list(side.batches())
        risks = torch.cat([risk(model.eval()(batch).logits)[0].cpu() for batch in batches])
    return {"losses": torch.stack(list(losses.values())), "state": torch.cat(changes), "risk": risks}


@pytest.mark.usefixtures("all_threads")
@pytest.mark.parametrize("name", METHODS)
def test_steps_are_those_of_the_cpu(name: str, gpu: torch.device) -> None:
    found, expected = train(name, gpu), train(name, torch.device("cpu"))
    apart = {what: difference(found[what], expected[what]) for what in ("losses", "state")}
    apart["risk"] = float((found["risk"] - expected["risk"]).abs().max())
    print(f"{name}: {', '.join(f'{what} {value:.1e}' for what, value in apart.items())} apart")
    assert all(apart[what] < TOLERANCE[what] for what in TOLERANCE), apart
