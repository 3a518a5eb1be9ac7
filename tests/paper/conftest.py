"""Evaluations as the stages leave them, with C-indices that a test chooses."""

from __future__ import annotations

import json

import pytest

from ccl.paper.ablations import DEFAULT, models_of

FOLDS, SEEDS = 5, (0, 1)
SPREAD = {"last": 0.0, "best-on-test": 0.03}


def write_evaluation(
    results, cohort, model, *, method, encoder, c_index, std=0.05, synthetic=False, weights="hub", track="unified",
    training_c_index=0.8,
):  # fmt: skip
    """Write the files of `train` and `evaluate` for one model on one cohort, and return the evaluation's path.

    `c_index` is a function of protocol, fold and seed.
    """
    folder = results / cohort
    (folder / "cohort").mkdir(parents=True, exist_ok=True)
    (folder / "cohort" / "summary.json").write_text(json.dumps({"cohort": cohort}))
    (folder / "cohort" / "patients.csv").write_text("patient_id,months,censorship\n")
    facts = {
        "cohort": cohort, "encoder": encoder, "model": model, "method": method, "weights": weights,
        "synthetic": synthetic, "parameters": 1234, "k": 6 if method == "ccl" else None, "empty_clusters": 0,
        "left_out": {},
    }  # fmt: skip
    for fold in range(FOLDS):
        write_run(
            folder / "train" / encoder / model / f"fold{fold}",
            {**facts, "fold": fold, "track": track},
            training_c_index,
        )
    protocols = {protocol: judge(lambda *key, p=protocol: c_index(p, *key), std) for protocol in SPREAD}
    out = folder / "evaluate" / encoder / model
    out.mkdir(parents=True)
    (out / "evaluation.json").write_text(json.dumps({**facts, "protocols": protocols}))
    (out / "risks.csv").write_text("protocol,fold,patient_id,months,censorship,risk,group\n")
    (out / "curves.csv").write_text("protocol,group,months,survival,lower,upper,at_risk\n")
    (out / "calibration.csv").write_text("protocol,months,group,predicted,observed,lower,upper,n\n")
    return out / "evaluation.json"


def write_run(folder, facts, training_c_index):
    folder.mkdir(parents=True)
    row = f"0,1,1,{training_c_index},0.5,1"
    (folder / "history.csv").write_text(f"seed,epoch,loss,c_index_train,c_index_test,seconds\n{row}\n")
    fold = facts["fold"]
    cost = {
        "device": "cpu", "threads": 1, "seconds_per_step": 0.1 * (fold + 1), "seconds_per_prediction": None,
        "seeds_per_step": 2, "peak_memory_mb": 500.0 + fold,
    }  # fmt: skip
    run = {
        **facts,
        "seeds": list(SEEDS),
        "n_train": 80,
        "n_test": 20,
        "hyper": {},
        "cost": cost,
        "versions": {"python": "3.11.9", "torch": "2.14.0"},
        "facts": {"distance_before_alignment": [4 + fold, 6 + fold], "distance_after_alignment": [3, 3]},
    }
    (folder / "run.json").write_text(json.dumps(run))


def judge(c_index, std):
    """What `evaluation.json` says under one protocol."""
    scores = [
        {"fold": fold, "seed": seed, "epoch": 1, "c_index": c_index(fold, seed), "n_test": 20, "n_events": 9}
        for fold in range(FOLDS)
        for seed in SEEDS
    ]
    numbers = [score["c_index"] for score in scores if score["c_index"] is not None]
    mean = sum(numbers) / len(numbers) if numbers else None
    return {
        "folds": scores,
        "mean": mean,
        "std": None if mean is None else std,
        "seeds": [{"seed": seed, "mean": mean} for seed in SEEDS],
        "std_over_seeds": 0.01,
        "pooled": mean,
        "kaplan_meier": {"n_high": 10, "n_low": 10, "log_rank_p": 0.04},
    }


def flat(model, cohort, protocol, fold, seed):
    """Every model as good as every other."""
    return 0.6


@pytest.fixture
def make_evaluations(tmp_path):
    """Write the evaluations of all points on a cohort and return their paths."""

    def make(cohort, *, base=None, encoder="resnet50", c_index=flat, **more):
        return [
            write_evaluation(
                tmp_path / "results",
                cohort,
                model,
                method="ccl",
                encoder=encoder,
                c_index=lambda *key, model=model: c_index(model, cohort, *key),
                **more,
            )
            for model in models_of(base or {"k": 6})
        ]

    return make


@pytest.fixture
def spread():
    """Points that differ from the default by a known amount in each fold, and from seed to seed by noise they share."""

    def c_index(model, cohort, protocol, fold, seed):
        own = 0.6 + 0.05 * fold + 0.02 * seed + SPREAD[protocol]
        return own if model == DEFAULT else own + 0.01 * (fold - 3)

    return c_index
