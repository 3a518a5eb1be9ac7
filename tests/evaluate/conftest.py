"""Fold folders as ``train`` writes them, with predictions that a test chooses."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

FACTS = {
    "cohort": "blca",
    "encoder": "resnet50",
    "model": "ours",
    "method": "ccl",
    "weights": "hub",
    "synthetic": False,
    "hyper": {"width": 256},
    "settings": {"epochs": 3, "intervals_from": "train"},
    "parameters": 1234,
    "families": {"f0": ["TP53_rnaseq", "TP53_cnv"]},
    "k": 6,
    "empty_clusters": 0.125,
    "facts": {},
    "left_out": {},
}


@pytest.fixture
def write_fold(tmp_path):
    """Write a fold folder from its patients and a function of (seed, epoch) that gives their risks.

    So does `inner` give the C-index on the patients held out, if there were any.
    """

    def write(fold, patients, risk, *, epochs=3, seeds=(0,), inner=None, **facts):
        folder = tmp_path / f"fold{fold}"
        folder.mkdir(parents=True)
        rows = [
            patients.assign(seed=seed, epoch=epoch, risk=np.asarray(risk(seed, epoch), dtype=float))
            for seed in seeds
            for epoch in range(1, epochs + 1)
        ]
        pd.concat(rows).to_csv(folder / "predictions.csv", index=False)
        if inner is not None:
            facts["n_inner"] = 5
            rows = [(seed, epoch, inner(seed, epoch)) for seed in seeds for epoch in range(1, epochs + 1)]
            history = pd.DataFrame(rows, columns=["seed", "epoch", "c_index_inner"])
            history.to_csv(folder / "history.csv", index=False)
        (folder / "run.json").write_text(json.dumps({**FACTS, "fold": fold, "seeds": list(seeds), **facts}))
        return folder

    return write


@pytest.fixture
def patients():
    """Draw patients with exponential survival times and random censoring."""

    def draw(n, seed=0, prefix="P"):
        rng = np.random.default_rng(seed)
        death, end = rng.exponential(30, n), rng.uniform(5, 80, n)
        return pd.DataFrame(
            {
                "patient_id": [f"{prefix}{i:03d}" for i in range(n)],
                "months": np.minimum(death, end),
                "censorship": (end < death).astype(int),
            }
        )

    return draw
