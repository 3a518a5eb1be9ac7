"""Time and memory of one training step and one prediction on a bag of 60,000 patches, for every method that reads bags.

    python benchmarks/large_bags.py [--patches 60000] [METHOD ...]

Sizes of TCGA-BLCA with ResNet-50 features; one thread; each method in a process of its own.  The features are drawn at
random: only shapes matter here.  ``bare`` is a process that has imported everything and holds the bag, and no method.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import torch
from blca import BLCA, shape_for

from ccl.data.batch import Batch, Outcomes
from ccl.methods import METHODS, hyper, load
from ccl.methods.interface import ClosedForm
from ccl.nn.likelihood import survival_nll
from ccl.nn.replicas import Replicas

BARE = "bare"


def step(name: str, patches: int) -> tuple[float, float]:
    """Train one step and predict once; return the seconds of both."""
    torch.manual_seed(0)
    bag = torch.randn(1, patches, BLCA.features)
    if name == BARE:
        return 0.0, 0.0
    shape = shape_for(METHODS[name])
    model = load(name).Model(shape, hyper(name, {}), Replicas((0,)))
    genomics = tuple(torch.randn(1, 1, size) for size in shape.families)
    outcomes = Outcomes(torch.tensor([[1]]), torch.zeros(1, 1), torch.tensor([[12.0]]))
    model.begin(outcomes)
    start = time.perf_counter()
    if not isinstance(model, ClosedForm):
        output = model.train()(Batch(genomics, None, outcomes, bag))
        (survival_nll(output.logits, outcomes) + sum(output.aux.values())).sum().backward()
    trained = time.perf_counter() - start
    with torch.no_grad():
        model.eval()(Batch(genomics, None, None, bag))
    return trained, time.perf_counter() - start - trained


def main() -> None:
    """Print a row per method, or with ``--one`` the numbers of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--patches", type=int, default=60_000)
    parser.add_argument("--one")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.one:
        seconds = step(given.one, given.patches)
        print(*seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    names = given.methods or [BARE, *(name for name, method in METHODS.items() if "bags" in method.reads)]
    print(f"{given.patches} patches\n")
    print("| method | training step, s | prediction, s | peak memory, GiB |\n|---|---|---|---|")
    for name in names:
        command = [sys.executable, __file__, "--one", name, "--patches", str(given.patches)]
        done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        print(f"| {name} | {float(done[0]):.1f} | {float(done[1]):.1f} | {float(done[2]):.1f} |", flush=True)


if __name__ == "__main__":
    main()
