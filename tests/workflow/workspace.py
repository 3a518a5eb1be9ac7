"""A folder with data, a config and results, in which snakemake is called as a user would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def tables(name: str) -> dict[str, Any]:
    """Return the entry of a demo cohort in the config, its slides or features left out."""
    return {
        "patients": f"{name}/patients.csv",
        "omics": {kind: f"{name}/{kind}.csv" for kind in ("rna", "cnv", "snv")},
        "gmt": f"{name}/families.gmt",
        "synthetic": True,
    }


CONFIG: dict[str, Any] = {
    "results": "results",
    "shards": 2,
    "cohorts": {
        "tiny": {**tables("tiny"), "slides": "tiny/slides.csv"},
        "bags": {
            **tables("bags"),
            "slides": "bags/slides.csv",
            "features": {"planted": "bags/features"},
            "folds": "bags/folds",
        },
    },
    "cohort": {"n_folds": 2},
    "tissue": {"min_area_mm2": 0.02},
    "embed": {"encoders": {"resnet50": {"weights": "random"}}, "device": "cpu"},
    "cluster": {"k": 3, "restarts": 1},
    "models": {"ccl": {}, "snn": {}},
    "train": {"epochs": 2, "intervals": 2},
    "report": {"title": "Tiny"},
}


def planned_jobs(output: str) -> Counter[str]:
    """Return how many jobs of each rule a dry run announced, the default target itself left out."""
    if "Nothing to be done" in output:
        return Counter()
    table = output.split("Job stats:")[1].split("total")[0]
    jobs = re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)
    return Counter({rule: int(count) for rule, count in jobs if rule != "all"})


def environment() -> dict[str, str]:
    """Return the environment in which a shell job finds the `ccl` that is tested."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def skip_if_python_cannot_be_submitted() -> None:
    """Skip a test that submits jobs: Snakemake's job script names Python without quotes."""
    if " " in sys.executable:
        pytest.skip(f"{sys.executable}: a Python whose path has a space cannot be submitted")


class Workspace:
    """A folder with data, a config and results, in which snakemake is called as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = deepcopy(CONFIG)

    def set(self, key: str, value: Any) -> None:
        """Set one key of the config, e.g. ``tile.mpp``."""
        *path, last = key.split(".")
        section = self.config
        for name in path:
            section = section.setdefault(name, {})
        section[last] = value

    def command(self, *arguments: str) -> list[str]:
        """Write the config down and return the command of snakemake on it."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
        return [*command, "--directory", str(self.folder), "--configfile", str(self.folder / "config.yaml")]

    def snakemake(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Call snakemake on the config; the output holds both streams."""
        return subprocess.run(
            self.command("--cores", "2", *arguments),
            env=environment() | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def planned(self, *targets: str) -> Counter[str]:
        """Return how many jobs of each rule a run would do now, the default target itself left out."""
        result = self.snakemake(*targets, "--dry-run")
        assert result.returncode == 0, result.stdout
        return planned_jobs(result.stdout)
