"""Benchmark: does CCL find what was planted, and nothing where nothing is.

Trains CCL on the demo cohort as it is, and again with the follow-up dealt out anew among the patients.  The second
kind must give a C-index of about one half: more would mean that test patients leak into training.

Needs the demo's features (`make demo`), which do not depend on the follow-up.  All data are synthetic and the
encoder's weights are random: the numbers say something about the software only.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ccl.cohort.draw import draw_folds
from ccl.evaluate.run import evaluate_runs
from ccl.files import read_json, read_table, write_table
from ccl.train import TrainSettings
from ccl.train.run import train_fold

RESULTS = Path("results/demo/demo")
SETTINGS = TrainSettings(epochs=30, lr=1e-3, weight_decay=1e-5, intervals=4, intervals_from="train", seeds=(0,))
FOLDS = 5


def evaluate(patients: pd.DataFrame, folder: Path, fold_seed: int) -> dict[str, float]:
    """Train all folds on these patients' follow-up and return the C-indices of the last epoch."""
    write_table(folder / "patients.csv", patients)
    write_table(folder / "folds.csv", draw_folds(patients, FOLDS, fold_seed))
    for fold in range(FOLDS):
        train_fold(
            cohort="demo",
            encoder="resnet50",
            model="ccl",
            fold=fold,
            overrides={},
            settings=SETTINGS,
            patients=folder / "patients.csv",
            folds=folder / "folds.csv",
            genomics=RESULTS / "genomics" / "genomics.h5",
            clusters=RESULTS / "cluster" / "resnet50" / "k6.h5",
            out=folder / f"fold{fold}",
            synthetic=True,
            device="cpu",
            threads=1,
        )
    evaluate_runs(runs=[folder / f"fold{fold}" for fold in range(FOLDS)], out=folder)
    last = read_json(folder / "evaluation.json")["protocols"]["last"]
    return {"mean": last["mean"], "pooled": last["pooled"]}


def main() -> None:
    """Print the C-index of the planted risk, and of several shuffled ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planted", type=int, default=3, help="draws of folds for the planted risk")
    parser.add_argument(
        "--shuffled", type=int, default=9, help="shuffled follow-ups; one of forty patients says little"
    )
    counts = vars(parser.parse_args())
    patients = read_table(RESULTS / "cohort" / "patients.csv", text=("patient_id",))
    rows = []
    for kind, count in counts.items():
        for repeat in range(count):
            order = np.random.default_rng(repeat).permutation(len(patients))
            if kind == "planted":
                order = np.arange(len(patients))
            dealt = patients.assign(
                months=patients["months"].to_numpy()[order], censorship=patients["censorship"].to_numpy()[order]
            )
            with tempfile.TemporaryDirectory() as folder:
                rows.append({"kind": kind, "repeat": repeat, **evaluate(dealt, Path(folder), repeat)})
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print("\nC-index of the last epoch, synthetic data, random encoder weights; mean and spread over repeats:")
    print(table.groupby("kind")[["mean", "pooled"]].agg(["mean", "std"]).round(3).to_string())


if __name__ == "__main__":
    main()
