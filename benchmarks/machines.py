"""Run the demo as other machines would, and measure by how much the results of each stage differ.

    python benchmarks/machines.py --folder /tmp/machines

The default config runs once for each set of environment variables below.  They force the instruction sets of older
processors on PyTorch (ATen, oneDNN, MKL), NumPy, OpenBLAS and OpenCV, and other numbers of threads.  The difference of
two arrays is the largest difference of their elements, relative to the largest element.  Times and costs are left out.
A folder that is finished is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml
from safetensors.numpy import load_file

from ccl.io.origin import packages
from ccl.results.golden import GOLDEN, key_numbers

ROOT = Path(__file__).parents[1]

MACHINES: Mapping[str, Mapping[str, str]] = {
    "this": {},
    "again": {"CORES": "1"},
    "one thread": dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OPENCV_CPU_DISABLE": "AVX512-SKX",
    },
    "sse4": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FP16,AVX",
    },
}
"""Variables of each machine; ``CORES`` is how many cores Snakemake gets (2 without it)."""

STAGES = (
    "cohort",
    "tissue",
    "tile",
    "embed",
    "genomics",
    "clinical",
    "cluster",
    "train",
    "evaluate",
    "added",
    "components",
)

SLACK = 5
"""How many times the largest difference is tolerated by `ccl demo --check`."""

MOST_TOLERANCE = 0.2
"""Numbers that differ more between machines say nothing about an installation, and are left out."""

LEAST_TOLERANCE = 1e-5
"""Relative tolerance of numbers that hardly differ between machines."""

VOLATILE = re.compile(r"second|cost|sha256|version|mtime|savetodir|path|thread|weights|digest")
"""Entries that differ from run to run, or are no results."""


def run(folder: Path, name: str, variables: Mapping[str, str]) -> Path:
    """Run the default config as a machine would, and return its results."""
    results = folder / name / "results"
    if (finished := folder / name / "finished").exists():
        return results / "demo"
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    config |= {"results": str(results), "data": str(folder / "data")}
    file = folder / name / "config.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(file)]
    command += ["--directory", str(folder / name), "--cores", variables.get("CORES", "2"), "--quiet"]
    command += ["--until", "evaluate", "added", "components"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, env={**os.environ, "PATH": path, **variables}, check=True)
    finished.touch()
    return results / "demo"


def numbers(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of numbers in a file, by name."""
    if path.suffix == ".h5":
        found: list[tuple[str, np.ndarray]] = []
        with h5py.File(path, "r") as file:
            file.visititems(
                lambda name, item: found.append((name, item[()])) if isinstance(item, h5py.Dataset) else None
            )
        yield from ((name, array) for name, array in found if np.asarray(array).dtype.kind in "fiu")
    elif path.suffix == ".safetensors":
        yield from load_file(path).items()
    elif path.suffix == ".csv":
        table = pd.read_csv(path)
        yield from ((str(name), table[name].to_numpy()) for name in table.select_dtypes("number"))
    elif path.suffix in (".json", ".geojson"):
        yield from _leaves(json.loads(path.read_text()))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{name}/{key}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{name}/{number}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, np.array(value)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference, relative to the largest element; infinite for arrays of other shapes."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
        return np.inf
    if not one.size or np.isnan(one).all():
        return 0.0
    return float(np.nanmax(np.abs(one - other)) / max(np.nanmax(np.abs(one)), np.finfo(float).tiny))


def compare(first: Path, second: Path) -> pd.DataFrame:
    """Return a row for each kind of array, with the largest difference, and how many arrays differ at all."""
    rows = []
    for path in sorted(first.rglob("*")):
        name = path.relative_to(first)
        if path.suffix in (".h5", ".safetensors", ".csv", ".json", ".geojson") and name.parts[0] in STAGES:
            if any(part.startswith(".") for part in name.parts) or not (second / name).exists():
                continue
            there = dict(numbers(second / name))
            for key, array in numbers(path):
                if not VOLATILE.search(f"{name} {key}"):
                    model = name.parts[2] if name.parts[0] in ("train", "evaluate") else ""
                    kind = f"{path.name if model else '*' + path.suffix} {re.sub('[0-9]+', '*', key)}"
                    rows.append((name.parts[0], model, kind, difference(array, there.get(key, np.empty(0)))))
    table = pd.DataFrame(rows, columns=["stage", "model", "array", "difference"])
    grouped = table.groupby(["stage", "model", "array"], sort=False)["difference"]
    return grouped.agg(largest="max", differing=lambda each: int((each > 0).sum()), arrays="size").reset_index()


def write_golden(results: Sequence[Path]) -> None:
    """Write the key numbers of the first run, each with several times the largest difference of the other runs."""
    first, *others = map(key_numbers, results)
    numbers: dict[str, dict[str, list[float]]] = {stage: {} for stage in first}
    for stage, own in first.items():
        for name, value in own.items():
            tolerance = _tolerance(value, [run[stage][name] for run in others])
            if tolerance <= MOST_TOLERANCE:
                numbers[stage][name] = [value, tolerance]
    shown = {"packages": packages(), "numbers": numbers}
    (ROOT / "ccl" / "results" / GOLDEN).write_text(json.dumps(shown, indent=2) + "\n")


def _tolerance(value: float, others: Sequence[float]) -> float:
    largest = max(abs(other - value) for other in others) / (abs(value) or 1.0)
    return float(f"{max(LEAST_TOLERANCE, SLACK * largest):.1g}")


def main() -> None:
    """Run, compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="folder for the runs, of 1 GB")
    parser.add_argument("--machines", nargs="+", default=list(MACHINES)[1:], choices=list(MACHINES)[1:])
    parser.add_argument("--golden", action="store_true", help="write the numbers that `ccl demo --check` compares")
    options = parser.parse_args()
    folder = options.folder.absolute()
    first = run(folder, "this", MACHINES["this"])
    for name in options.machines:
        table = compare(first, run(folder, name, MACHINES[name]))
        table.to_csv(folder / f"{name}.csv", index=False)
        print(f"\n{name}: {' '.join(f'{key}={value}' for key, value in MACHINES[name].items())}")
        print(
            table.groupby(["stage", "model"], sort=False).agg({"largest": "max", "differing": "sum", "arrays": "sum"})
        )


if __name__ == "__main__":
    main()
