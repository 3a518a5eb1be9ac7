"""Attacks on whole runs: kills, other dates, and results that are seen late; the same command has to recover."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from benchmarks.faults.cases import UNTOUCHED, content
from benchmarks.faults.cohort import command, end, environment, make_inputs, must, small, snakemake

LATE = '''#!{python}
"""Run ccl, hide what the job made, and show it later, as a network disk does to another machine."""
import os, random, subprocess, sys, time
done = subprocess.run([{ccl!r}, *sys.argv[1:]])
paths = [b for a, b in zip(sys.argv, sys.argv[2:]) if a in ("--out", "--manifest") and os.path.isfile(b)]
wait = random.Random(repr(({seed}, sys.argv))).uniform(0, {longest})
if not done.returncode and paths and not os.fork():
    os.setsid()
    os.close(1), os.close(2)
    for path in paths:
        os.replace(path, path + ".late")
    time.sleep(wait)
    for path in paths:
        os.path.exists(path) or os.replace(path + ".late", path)
    os._exit(0)
time.sleep(0.2)
sys.exit(done.returncode)
'''

LEAST = 2
"""How often every stage is killed."""

LONGEST_S = 9.0
"""Snakemake waits five seconds for a file; a later one fails the run."""


def finished_small(folder: Path) -> Path:
    """Run the small config once; return its folder."""
    target = folder / "small"
    if not (folder / "small.done").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        make_inputs(target, small())
        must(target, "all", "bundle")
        (folder / "small.done").touch()
    return target


def results(folder: Path) -> dict[str, str]:
    """Return the content of a run's results, without the times of epochs."""
    found = {}
    for path in sorted((folder / "results").rglob("*")):
        name = str(path.relative_to(folder))
        timed = path.name == "history.csv" or ".sha256" in path.parts
        if path.is_file() and not timed and not UNTOUCHED.match(name):
            found[name] = content(path)
    return found


def fresh(finished: Path, work: Path) -> None:
    """Make a folder of the inputs alone."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(finished, work, ignore=shutil.ignore_patterns("results", ".snakemake"))


def differing(finished: Path, work: Path) -> list[str]:
    """Return the results that are not those of the undisturbed run, and what is left over."""
    expected, found = results(finished), results(work)
    return sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))


def stages_of(process: subprocess.Popen[str]) -> set[str]:
    """Return the commands of ccl that a run is working on."""
    found = set()
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                words = child.cmdline()
                named = [place for place, word in enumerate(words[:-1]) if Path(word).name == "ccl"]
                found |= {words[place + 1] for place in named[:1]}
    return found


def kills(folder: Path, seed: int, rounds: int) -> Iterator[tuple[str, str]]:
    """Kill runs at random moments, each time followed by the same command; yield what was hit and the class.

    Most rounds wait for a stage that was hit less than twice, and kill the whole group up to three seconds later.  A
    run that ends well is compared with the undisturbed one, and the next begins from nothing.
    """
    finished, work = finished_small(folder), folder / "killed"
    rng, hit, done = np.random.default_rng(seed), Counter[str](), 0
    fresh(finished, work)
    while done < rounds:
        with (folder / "killed.txt").open("w") as log:
            process = subprocess.Popen(
                command(work, "all", "bundle"),
                env=environment(),
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
            rare = rng.random() < 0.7
            last = time.monotonic() + (1e9 if rare else 20 * float(rng.random()))
            while process.poll() is None and time.monotonic() < last:
                if rare and any(hit[stage] < LEAST for stage in stages_of(process)):
                    break
                time.sleep(0.05)
            time.sleep(float(rng.random()) * 3)
            seen = stages_of(process)
            running = process.poll() is None
            end(process)
        text = (folder / "killed.txt").read_text()
        if running:
            done += 1
            hit.update(seen)
            yield " ".join(sorted(seen)) or "between jobs", "traceback" if "Traceback" in text else "success"
        elif process.returncode:
            shutil.copyfile(folder / "killed.txt", folder / f"killed.{seed}.{done}.txt")
            yield "the run", "traceback" if "Traceback" in text else "own error"
            return
        else:
            wrong = differing(finished, work)
            yield "a finished run", f"silent wrong {wrong[:5]}" if wrong else "success"
            fresh(finished, work)
    code, text = snakemake(work, "all", "bundle")
    wrong = differing(finished, work)
    yield "a finished run", f"own error {text[-500:]}" if code else f"silent wrong {wrong[:5]}" if wrong else "success"


def clocks(folder: Path, seed: int, rounds: int) -> Iterator[tuple[str, str]]:
    """Give a random third of the files of a finished run dates of up to a day earlier or later; run it again."""
    finished, work = finished_small(folder), folder / "clocks"
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(finished, work)
        for path in sorted(work.rglob("*")):
            if path.is_file() and ".snakemake" not in path.parts and rng.random() < 1 / 3:
                moved = path.stat().st_mtime + float(rng.uniform(-86400, 86400))
                os.utime(path, (moved, moved))
        yield "dates", _again(finished, work, folder / f"clocks.{seed}.txt")


def late(folder: Path, seed: int, rounds: int) -> Iterator[tuple[str, str]]:
    """Show the results of every job up to nine seconds late; run again until the run ends well."""
    finished, work = finished_small(folder), folder / "late"
    for number in range(rounds):
        fresh(finished, work)
        tools = work / "tools"
        tools.mkdir()
        ccl = Path(sys.executable).parent / "ccl"
        text = LATE.format(python=sys.executable, ccl=str(ccl), seed=seed + number, longest=LONGEST_S)
        (tools / "ccl").write_text(text)
        (tools / "ccl").chmod(0o755 | stat.S_IXUSR)
        first, said = snakemake(work, "all", "bundle", first=[tools])
        time.sleep(LONGEST_S)
        found = "traceback" if "Traceback" in said else "own error" if first else "success"
        shutil.rmtree(tools)
        yield "the first run", found
        yield "the second run", _again(finished, work, folder / f"late.{seed}.{number}.txt")


def _again(finished: Path, work: Path, log: Path) -> str:
    """Run a folder to its end and return the class."""
    code, text = snakemake(work, "all", "bundle")
    wrong = [] if code else differing(finished, work)
    if "Traceback" in text or code or wrong:
        log.write_text(f"{wrong}\n{text}")
    if "Traceback" in text:
        return "traceback"
    return "own error" if code else "silent wrong" if wrong else "success"


def two_runs(folder: Path, seed: int, rounds: int) -> Iterator[tuple[str, str]]:
    """Start the same run twice, up to ten seconds apart."""
    finished, work = finished_small(folder), folder / "two"
    rng = np.random.default_rng(seed)
    for number in range(rounds):
        fresh(finished, work)
        processes, logs = [], [folder / f"two.{seed}.{number}.{which}.txt" for which in (1, 2)]
        for log in logs:
            with log.open("w") as file:
                processes.append(
                    subprocess.Popen(command(work, "all", "bundle"), env=environment(), stdout=file, stderr=file)
                )
            time.sleep(float(rng.random()) * 10)
        codes = [process.wait() for process in processes]
        texts = [log.read_text() for log in logs]
        yield "the first run", "traceback" if "Traceback" in texts[0] else "own error" if codes[0] else "success"
        yield "the second run", "traceback" if "Traceback" in texts[1] else "own error" if codes[1] else "success"
        yield "afterwards", _again(finished, work, folder / f"two.{seed}.{number}.txt")


RUNS = {each.__name__: each for each in (kills, clocks, late, two_runs)}
