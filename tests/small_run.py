"""A small run of the stages whose numbers could depend on the machine: `python tests/small_run.py DATA RESULTS`.

It runs in a process of its own, because libraries choose their instructions when they are loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from ccl.cli import cli
from ccl.io.formats import Features
from ccl.wsi.encoders import get_encoder
from ccl.wsi.encoders.build import build_encoder


def main(data: Path, results: Path) -> None:
    """Run the stages on a demo cohort with features, and embed some patches."""
    out = {name: str(results / name) for name in ("cohort", "genomics", "import", "cluster", "train", "evaluate")}
    tables = ["--slides", f"{data}/slides.csv"]
    omics = [word for kind in ("rna", "cnv", "snv") for word in (f"--{kind}", f"{data}/{kind}.csv")]
    manifest, clusters = f"{out['import']}/manifest.tsv", f"{out['cluster']}/k3.h5"
    read = ["--patients", f"{out['cohort']}/patients.csv", "--folds", f"{out['cohort']}/folds.csv"]
    read += ["--genomics", f"{out['genomics']}/genomics.h5"]
    call("cohort", "--name", "small", "--patients", f"{data}/patients.csv", *tables, "--out", out["cohort"])
    call("genomics", *omics, "--gmt", f"{data}/families.gmt", "--out", f"{out['genomics']}/genomics.h5")
    call("import", *tables, "--features", f"{data}/features", "--manifest", manifest)
    call("cluster", *tables, "--manifests", manifest, "--out", clusters, "--k", "3", "--restarts", "1")
    for model in ("ccl", "cox-genomics"):
        own = ["--clusters", clusters] if model == "ccl" else []
        named = ["--cohort", "small", "--encoder", "x", "--model", model, "--method", model, "--fold", "0"]
        call("train", *named, *read, *own, "--out", f"{out['train']}/x/{model}/fold0", "--epochs", "2")
        call("evaluate", f"{out['train']}/x/{model}/fold0", "--out", f"{out['evaluate']}/x/{model}")
    patches = np.random.default_rng(0).integers(0, 256, (2, 3, 224, 224), dtype=np.uint8)
    with torch.inference_mode():
        features = build_encoder(get_encoder("resnet50"), "random")(torch.from_numpy(patches))
    Features(features.numpy(), None, "resnet50", "random", {}).write(results / "embed" / "patches.h5", "")


def call(*words: str) -> None:
    """Call a command of ccl in this process."""
    cli(list(words), standalone_mode=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
