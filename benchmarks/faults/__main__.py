"""The command line of the attacks; see :mod:`benchmarks.faults`."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import benchmarks.faults as package
from benchmarks.faults import changes, disks, memory
from benchmarks.faults.cases import Case, call, judge, no_attack, volatile_files
from benchmarks.faults.cohort import prepare
from benchmarks.faults.damage import damage
from benchmarks.faults.runs import RUNS

KINDS = ("inputs", "disks", "memory", "changes", "together")
KEPT = ("traceback", "hang", "silent wrong", "changed elsewhere")
SECONDS = 4.0
"""Within this time after its start, a slide of a running command changes."""


def one(kind: str, case: Case, log: Path, volatile: Sequence[str]) -> tuple[str, str]:
    """Attack a prepared case; return what was done and the class."""
    attack, during, what = no_attack, None, kind
    if kind == "inputs":
        what = damage(case)
    else:
        case.clear()
    if kind == "disks":
        what = list(disks.ATTACKS)[int(case.rng.integers(len(disks.ATTACKS)))]
        attack = disks.ATTACKS[what](case)
    elif kind == "memory":
        attack = memory.limited(case)
    elif kind == "changes":
        what, during = changes.change(case, SECONDS)
    case.before = case.state()
    if kind == "together":
        return what, twice(case, log, volatile)
    code = call(case, log, attack, during)
    return what, judge(case, code, log, volatile, may_die=kind == "memory")


def twice(case: Case, log: Path, volatile: Sequence[str]) -> str:
    """Run the command of a case twice at once and return the worse class."""
    other = log.with_suffix(".other.txt")
    child = os.fork()
    if not child:
        code = call(case, other)
        os._exit(255 if code is None else code % 255)
    codes = [call(case, log), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
    found = [judge(case, code, text, volatile) for code, text in zip(codes, (log, other), strict=True)]
    return max(found, key=lambda each: (each in KEPT, each == "own error"))


def import_all() -> None:
    """Import what the commands import, once for all of them."""
    import torch

    import ccl.cli
    import ccl.explain.stage
    import ccl.paper.stage
    import ccl.predict.bundle
    import ccl.report.stage
    import ccl.train.stage
    import ccl.wsi.embed.stage
    import ccl.wsi.tissue.stage  # noqa: F401

    torch.set_num_threads(1)  # a process that has used threads cannot be copied


def cases(kind: str, options: argparse.Namespace) -> Iterator[tuple[int, str, str, str, str]]:
    """Run the cases of a kind; yield number, stage, victim, what was done and the class of each."""
    import_all()
    finished, commands = prepare(options.folder)
    named = options.only or (changes.STAGES if kind == "changes" else None)
    stages = sorted({command[1] for command in commands if not named or command[1] in named})
    work, log = options.folder / f"work{os.getpid()}", options.folder / f"log{os.getpid()}.txt"
    for number in range(options.first, options.first + options.cases):
        rng = np.random.default_rng((options.seed, KINDS.index(kind), number))
        own = [command for command in commands if command[1] == stages[number % len(stages)]]
        command = own[int(rng.integers(len(own)))]
        volatile = volatile_files(Case(finished, work, command, np.random.default_rng(0)), options.folder)
        case = Case(finished, work, command, rng)
        case.copy()
        what, found = one(kind, case, log, volatile)
        if found in KEPT:
            shutil.copyfile(log, options.folder / f"{kind}.{options.seed}.{number}.txt")
        yield number, case.stage, case.victim, what, found
    shutil.rmtree(work, ignore_errors=True)


def main() -> None:
    """Run one kind of attack and print the table of classes."""
    parser = argparse.ArgumentParser(description=package.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=[*KINDS, *RUNS])
    parser.add_argument("--cases", type=int, default=100, help="cases, or rounds of whole runs")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("results/faults"))
    parser.add_argument("--only", nargs="*", help="stages; all if none is named")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no case after this time")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[tuple[str, str]] = Counter()
    last = time.monotonic() + 60 * options.minutes
    if options.kind in RUNS:
        runs = RUNS[options.kind](options.folder, options.seed, options.cases)
        found = ((number, options.kind, "", stage, what) for number, (stage, what) in enumerate(runs))
    else:
        found = cases(options.kind, options)
    for number, stage, victim, what, end in found:
        counts[stage, end.split(" [")[0]] += 1
        with (options.folder / "cases.tsv").open("a") as file:
            print(options.kind, options.seed, number, stage, victim, what, end, sep="\t", file=file, flush=True)
        if time.monotonic() > last:
            break
    for (stage, end), count in sorted(counts.items()):
        print(f"{stage:12} {end:18} {count}")


if __name__ == "__main__":
    main()
