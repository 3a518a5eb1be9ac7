"""Benchmark: a training step with many gene families against one with six of the same columns altogether.

    python benchmarks/families.py [METHOD ...] [--families N ...]

Six families with the proportions of TCGA-BLCA's, and 50 (as many as the Hallmarks) and 331 with the sizes of
SurvPath's gene sets (1 to 199 genes, 9,745 altogether), on random data with small bags.  All methods that read genes
are trained as on the unified track, on one thread, each in a process of its own; the processor time of the fastest
epoch counts.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from blca import BLCA, shape_for
from torch import Tensor

from ccl.data.bags import Bags
from ccl.data.batch import Outcomes, Shape
from ccl.data.patients import Side
from ccl.methods import METHODS, hyper, load
from ccl.methods.declaration import Recipe
from ccl.methods.interface import ClosedForm
from ccl.nn.replicas import Replicas
from ccl.train.loop import train_epoch
from ccl.train.optimisers import make_optimiser

COLUMNS, MOST = 9745, 199
"""Genes of all of SurvPath's 331 sets, and of the largest."""

PATIENTS, PATCHES, EPOCHS = 32, 120, 4


def sizes(families: int) -> tuple[int, ...]:
    """Return the sizes of six or more families, with :data:`COLUMNS` altogether."""
    ranks = (np.arange(families) + 0.5) / families
    shares = np.array(BLCA.families) if families == len(BLCA.families) else np.minimum(-np.log(1 - ranks), 5)
    found = np.maximum(1, np.round(shares * COLUMNS / shares.sum())).astype(int)
    found[-1] += COLUMNS - found.sum()
    return tuple(found.tolist())


class SmallBags(Bags):
    """A bag of random patches, the same for all patients."""

    def __init__(self, features: int) -> None:
        super().__init__([], device=torch.device("cpu"), keep=False)
        self.bag = torch.rand(1, PATCHES, features)

    def stream(self, order: Iterable[int]) -> Iterator[Tensor]:
        """Yield the bag for each patient."""
        return (self.bag for _ in order)


def cohort(shape: Shape, *, bags: bool) -> tuple[Side, Outcomes]:
    """Return random patients and what became of them."""
    torch.manual_seed(0)
    labels, censorship = torch.arange(PATIENTS) % 4, (torch.arange(PATIENTS) // 4 % 2).float()
    side = Side(
        patients=tuple(map(str, range(PATIENTS))),
        months=labels.double().numpy(),
        censorship=censorship.long().numpy(),
        genomics=tuple(torch.randn(PATIENTS, size) for size in shape.families),
        centres=torch.rand(PATIENTS, shape.clusters, shape.features) if shape.clusters else None,
        bags=SmallBags(shape.features) if bags else None,
    )
    return side, Outcomes(labels[None], censorship[None], 1.0 + torch.arange(PATIENTS)[None])


def step(name: str, families: int) -> float:
    """Return the milliseconds of a training step in the fastest epoch, after one to warm up."""
    torch.set_num_threads(1)
    method = METHODS[name]
    shape = replace(shape_for(method), families=sizes(families))
    side, outcomes = cohort(shape, bags="bags" in method.reads)
    replicas = Replicas((0,))
    model = load(name).Model(shape, hyper(name, {}), replicas)
    model.begin(outcomes)
    recipe = Recipe("sgd", lr=1e-4, weight_decay=1e-5, epochs=EPOCHS)
    optimiser = make_optimiser(model, recipe, steps=PATIENTS, bags=side.bags is not None)
    seconds = []
    for _ in range(1 + EPOCHS):
        orders, start = replicas.orders(PATIENTS), time.process_time()
        train_epoch(model, optimiser, side, outcomes=outcomes, orders=orders)
        seconds.append(time.process_time() - start)
    return 1e3 * min(seconds[1:]) / PATIENTS


def main() -> None:
    """Print a row per method, or with ``--one`` the numbers of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--families", type=int, nargs="+", default=[6, 50, 331], help="numbers of families")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(step(given.methods[0], given.families[0]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
        return
    names = given.methods or [
        name
        for name, method in METHODS.items()
        if "genomics" in method.reads and not issubclass(load(name).Model, ClosedForm)
    ]
    counts = given.families
    print("| method |" + "".join(f" {n} families, ms | MiB |" for n in counts) + "\n|---|" + "---|" * 2 * len(counts))
    for name in names:
        cells = []
        for count in counts:
            command = [sys.executable, __file__, name, "--families", str(count), "--one"]
            done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            cells += [f"{float(done[0]):.2f}", f"{float(done[1]):.0f}"]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
