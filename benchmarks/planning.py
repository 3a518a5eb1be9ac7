"""How long `snakemake -n` plans, how much memory it takes, and which part of it is Snakemake's own start.

    python benchmarks/planning.py
    python benchmarks/planning.py --profile    # where the time of the largest case goes

Each case has five cohorts, whose slides are empty files, two encoders, and the models ccl and snn.  Seconds of CPU are
shown beside those of the clock, as they do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
COHORTS = 5
CASES = {"2,830 slides": (2_830, 9), "100,000 slides": (100_000, 312)}
"""Slides of all cohorts together, and shards of each."""


def write_case(folder: Path, slides: int, shards: int) -> Path:
    """Write cohorts whose files are there and empty, and return their config."""
    cohorts = {}
    for number in range(COHORTS):
        home = folder / f"cohort{number}"
        home.mkdir(parents=True)
        names = [f"S{number}-{slide:06}" for slide in range(slides // COHORTS)]
        rows = [f"{name},P{index // 2},{name}.svs,0.5" for index, name in enumerate(names)]
        (home / "slides.csv").write_text("\n".join(["slide_id,patient_id,path,mpp", *rows, ""]))
        for name in (*(f"{name}.svs" for name in names), "patients.csv", "rna.csv", "families.gmt"):
            (home / name).touch()
        cohorts[home.name] = {
            "patients": f"{home.name}/patients.csv",
            "slides": f"{home.name}/slides.csv",
            "omics": {"rna": f"{home.name}/rna.csv"},
            "gmt": f"{home.name}/families.gmt",
        }
    config = {
        "data": str(folder),
        "results": str(folder / "results"),
        "cohorts": cohorts,
        "shards": shards,
        "embed": {"encoders": {"resnet50": {"weights": "random"}, "uni": {"weights": "random"}}},
        "models": {"ccl": {}, "snn": {}},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def measure(*arguments: str | Path) -> tuple[float, float, float]:
    """Return seconds of the clock, seconds of CPU and the peak memory (MiB) of a call of snakemake."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "snakemake", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, usage.ru_maxrss / 1024


def profile(config: Path) -> None:
    """Print the functions that take most of the time of a plan, with what they call."""
    from snakemake.cli import main

    sys.argv = ["snakemake", "-n", "--quiet", "all", "--cores", "8", "--configfile", str(config)]
    os.chdir(ROOT)
    profiler = cProfile.Profile()
    try:
        profiler.runcall(main)
    except SystemExit:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)


def run() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true", help="where the time of the largest case goes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.profile:
            profile(write_case(Path(folder) / "case", *CASES["100,000 slides"]))
            return
        print(f"{'case':<20}{'clock, s':>10}{'CPU, s':>10}{'MiB':>8}")
        rows = {"snakemake --version": ("--version",)}
        for name, (slides, shards) in CASES.items():
            config = write_case(Path(folder) / name, slides, shards)
            rows[name] = ("-n", "--quiet", "all", "--cores", "8", "--configfile", config)
        for name, call in rows.items():
            seconds, cpu, memory = min(measure(*call) for _ in range(1))
            print(f"{name:<20}{seconds:>10.1f}{cpu:>10.1f}{memory:>8.0f}", flush=True)


if __name__ == "__main__":
    run()
