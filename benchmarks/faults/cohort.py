"""The small cohorts that are attacked: slides, ready features, a public download, and new patients."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.faults.cases import Case, call
from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo
from tests.source.layouts import GMT, Truth, cbioportal

ROOT = Path(__file__).parents[2]
ENCODER = "test_resnet"

CONFIG: dict[str, Any] = {
    "shards": 1,
    "cohorts": {
        name: {
            "patients": f"{name}/patients.csv",
            "slides": f"{name}/slides.csv",
            "omics": {kind: f"{name}/{kind}.csv" for kind in ("rna", "cnv", "snv")},
            "gmt": f"{name}/families.gmt",
            "synthetic": True,
            **more,
        }
        for name, more in {
            "tiny": {
                "clinical": {
                    "covariates": {
                        "age": {"kind": "numeric"},
                        "sex": {"kind": "categorical", "levels": ["female", "male"]},
                    }
                }
            },
            "bags": {"features": {"planted": "bags/features"}},
        }.items()
    }
    | {
        "portal": {
            "endpoint": "OS",
            "gmt": "families.gmt",
            "synthetic": True,
            "from": {"cbioportal": "portal", "rna": {"transform": "log2(x + 1)"}, "cnv": {}, "snv": {}},
            "clinical": {"covariates": {"age": {"kind": "numeric", "columns": ["AGE"]}}},
        }
    },
    "cohort": {"n_folds": 2},
    "tissue": {"min_area_mm2": 0.02},
    "embed": {"encoders": {ENCODER: {"weights": "random"}}, "device": "cpu"},
    "cluster": {"k": 3, "restarts": 1},
    "missing_modality": "blank",
    "models": {"ccl": {}, "attmil": {"width": 16}, "cox-clinical-genomics": {}},
    "train": {"epochs": 2, "intervals": 2, "device": "cpu"},
}

TARGETS = ("all", "explain", "bundle", "table1")

EXTRA = (
    "ccl verify results",
    f"ccl compare results/tiny/evaluate/{ENCODER}/ccl results/tiny/evaluate/{ENCODER}/attmil --out compared/table.csv",
    f"ccl export --layout trident --slides tiny/slides.csv --out exported results/tiny/embed/{ENCODER}/manifest.tsv",
)
"""Commands outside of the graph."""


def small() -> dict[str, Any]:
    """Return a config of the slides and of the download, with two models: a run that takes a minute."""
    config = deepcopy(CONFIG)
    del config["cohorts"]["bags"], config["models"]["attmil"]
    return config


def make_inputs(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the inputs of the cohorts and their config."""
    for name, patients in (("tiny", 8), ("bags", 10)):
        if name in config["cohorts"]:
            make_demo(folder / name, DemoSettings(patients=patients, seed=3, bags=name == "bags", shuffle_risk=False))
    (folder / "families.gmt").write_text(GMT)
    shutil.rmtree(folder / "portal", ignore_errors=True)
    cbioportal(folder / "portal", Truth(n=12))
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config)))


def command(folder: Path, *options: str) -> list[str]:
    """Return the command that runs Snakemake in a folder."""
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [*words, "--configfile", str(folder / "config.yaml"), "--cores", "2", *options]


def environment(*first: Path) -> dict[str, str]:
    """Return the environment of Snakemake, which finds `ccl` in the folders `first` or beside Python."""
    path = os.pathsep.join([*map(str, first), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path}


def snakemake(folder: Path, *options: str, first: Sequence[Path] = ()) -> tuple[int, str]:
    """Run Snakemake in a folder and return its exit code and what it prints."""
    done = subprocess.run(
        command(folder, *options),
        env=environment(*first),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def must(folder: Path, *options: str) -> str:
    """Run Snakemake in a folder, which has to end well, and return what it prints."""
    code, text = snakemake(folder, *options)
    if code:
        sys.exit(text)
    return text


def prepare(folder: Path) -> tuple[Path, list[list[str]]]:
    """Run the commands of the graph once; return their folder and the commands, each with one thread.

    They run in copies of this process, which saves the start of an interpreter for each.
    """
    finished, listed = folder / "finished", folder / "commands.txt"
    if not listed.exists():
        finished.mkdir(parents=True, exist_ok=True)
        config = deepcopy(CONFIG)
        make_inputs(finished, config)
        _run(finished, _listed(finished))
        # New patients: those of the slides, without their follow-up.
        new = {name: value for name, value in config["cohorts"]["tiny"].items() if name not in ("patients", "clinical")}
        new["predict_with"] = {"mine": f"results/tiny/bundle/{ENCODER}/ccl"}
        config["cohorts"]["new"] = new
        (finished / "config.yaml").write_text(yaml.safe_dump(config))
        commands = [*_listed(finished), *EXTRA]
        _run(finished, commands)
        listed.write_text("".join(f"{line}\n" for line in commands))
    return finished, [_one_thread(line) for line in listed.read_text().splitlines()]


def _listed(folder: Path) -> list[str]:
    """Return the commands of the graph."""
    shown = must(folder, *TARGETS, "--dry-run", "--forceall", "--printshellcmds")
    return list(dict.fromkeys(re.findall(r"(?:^|Shell command: ) *(ccl .*)$", shown, flags=re.MULTILINE)))


def _run(folder: Path, lines: Sequence[str]) -> None:
    """Run the commands whose results are not there; one that lacks its inputs is tried again after the others."""
    log = folder.parent / "first.txt"
    while lines:
        left = [line for line in lines if not _is_done(folder, line) and call(_first(folder, line), log)]
        if len(left) == len(lines):
            sys.exit(f"{left[-1]}\n{log.read_text()}")
        lines = left


def _first(folder: Path, line: str) -> Case:
    return Case(folder, folder, _one_thread(line), np.random.default_rng(0))


def _is_done(folder: Path, line: str) -> bool:
    outputs = _first(folder, line).outputs
    return bool(outputs) and all((folder / path).exists() for path in outputs)


def _one_thread(line: str) -> list[str]:
    words = shlex.split(line.split(" > ")[0])
    for place, word in enumerate(words[:-1]):
        if word == "--threads":
            words[place + 1] = "1"
    return words


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
