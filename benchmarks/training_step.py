"""Benchmark: a training step of CCL against the released arithmetic, and replicas side by side against one by one.

All at the sizes of TCGA-BLCA with ResNet-50 features and six clusters, on random data, with the centres given.  Each
kind of step is timed in processes of its own, in turns, and the fastest passes count: another program can only slow a
step down.  The floor is how long this machine takes to stream the weights that a step cannot do without: those behind
the first layers are read forward, read backward and updated; the first layers are read and updated once in 16 steps.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from blca import BLCA
from released_step import ReleasedStep
from torch import nn

from ccl.data.batch import Outcomes
from ccl.data.patients import Side
from ccl.methods import hyper, load
from ccl.nn.replicas import InputLinear, Replicas
from ccl.train.loop import STEPS_AHEAD, train_epoch
from ccl.train.sgd import SGD

PATIENTS = 64
PASSES = 8


def cohort() -> tuple[Side, Outcomes]:
    """Return random patients and what became of them."""
    torch.manual_seed(0)
    genomics = tuple(torch.randn(PATIENTS, size) for size in BLCA.families)
    centres = torch.rand(PATIENTS, BLCA.clusters, BLCA.features)
    labels, censorship = torch.arange(PATIENTS) % 4, (torch.arange(PATIENTS) // 4 % 2).float()
    side = Side(
        patients=tuple(map(str, range(PATIENTS))),
        months=labels.double().numpy(),
        censorship=censorship.long().numpy(),
        genomics=genomics,
        centres=centres,
    )
    return side, Outcomes(labels[None], censorship[None], 1.0 + torch.arange(PATIENTS)[None])


def fastest(one_pass: Callable[[], Any]) -> float:
    """Return the milliseconds of a step in the fastest pass, after one to warm up."""
    one_pass()
    seconds = []
    for _ in range(PASSES):
        start = time.perf_counter()
        one_pass()
        seconds.append(time.perf_counter() - start)
    return 1e3 * min(seconds) / PATIENTS


def released(threads: int) -> tuple[float, float]:
    """Time the released arithmetic: milliseconds a step, and the process's peak memory in MB."""
    torch.set_num_threads(threads)
    side, outcomes = cohort()
    step = ReleasedStep(BLCA.families, BLCA.features, BLCA.clusters, BLCA.intervals)
    assert side.centres is not None

    def one_pass() -> None:
        for i in range(PATIENTS):
            genomics = [family[i : i + 1] for family in side.genomics]
            step.step(genomics, side.centres[i], int(outcomes.labels[0, i]), float(outcomes.censorship[0, i]))

    return fastest(one_pass), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def network(preset: str, replicas: Replicas) -> nn.Module:
    """Return CCL at the sizes of the benchmark."""
    model: nn.Module = load("ccl").Model(BLCA, hyper("ccl", {"preset": preset}), replicas)
    return model


def ours(threads: int, preset: str, seeds: int) -> tuple[float, float]:
    """Time steps of some seeds side by side: milliseconds a step of one seed, and the process's peak memory in MB."""
    torch.set_num_threads(threads)
    side, outcomes = cohort()
    replicas = Replicas(range(seeds))
    model = network(preset, replicas)
    model.begin(outcomes)
    sgd = SGD(model, lr=1e-3, weight_decay=1e-5)

    def one_pass() -> None:
        train_epoch(model, sgd, side, outcomes=outcomes, orders=replicas.orders(PATIENTS))

    return fastest(one_pass) / seeds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def floor(threads: int, preset: str, seeds: int) -> tuple[float, float]:
    """Time the streaming of the weights of one step: milliseconds a step of one seed, and MB of weights of a seed."""
    torch.set_num_threads(threads)
    model = network(preset, Replicas((0,)))
    weights = sum(weight.numel() for weight in model.parameters())
    inputs = [layer for layer in model.modules() if isinstance(layer, InputLinear)]
    first = sum(weight.numel() for layer in inputs for weight in layer.weights)
    behind = torch.rand((weights - first) * seeds)
    share = torch.rand(first * seeds // STEPS_AHEAD)

    def one_pass() -> None:
        for _ in range(PATIENTS):
            behind.sum(), behind.sum(), behind.mul_(0.9999)
            share.sum(), share.mul_(0.9999)

    return fastest(one_pass) / seeds, 4e-6 * weights


def alone(job: tuple[Callable[..., tuple[float, float]], tuple[Any, ...]]) -> tuple[float, float]:
    """Run one job in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(*job)


def main() -> None:
    """Print milliseconds a step of one seed, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=8, help="seeds side by side")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each kind of step")
    arguments = parser.parse_args()
    threads, seeds = arguments.threads, arguments.seeds
    jobs: dict[str, tuple[Callable[..., tuple[float, float]], tuple[Any, ...]]] = {
        "released arithmetic": (released, (threads,)),
        **{
            f"{kind}, {preset}, {count} seed{'s' * (count > 1)}": (function, (threads, preset, count))
            for preset in ("released", "paper")
            for count in (1, seeds)
            for kind, function in (("ccl", ours), ("floor", floor))
        },
    }
    results = [{"step": name, "result": alone(job)} for _ in range(arguments.rounds) for name, job in jobs.items()]
    best = pd.DataFrame(results).groupby("step", sort=False)["result"].min()
    table = pd.DataFrame(best.tolist(), index=best.index, columns=["ms", "MB"])
    table["times faster"] = table.loc["released arithmetic", "ms"] / table["ms"]
    print(
        f"{threads} thread(s), torch {torch.__version__}; ms a step of one seed; MB: the process's peak, floor: weights"
    )
    print(table.round(2).to_string())
    for preset in ("released", "paper"):
        one, many = (table.loc[f"ccl, {preset}, {text}", "ms"] for text in ("1 seed", f"{seeds} seeds"))
        print(f"{preset}: {seeds} seeds side by side are {one / many:.2f} times as fast as one by one")


if __name__ == "__main__":
    main()
