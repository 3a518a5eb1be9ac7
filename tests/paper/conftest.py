"""Evaluations of every point as the stages leave them, with C-indices that a test chooses."""

from __future__ import annotations

import json

import pytest

from ccl.paper.ablations import DEFAULT, models_of

FOLDS, SEEDS = 5, (0, 1)


def write_run(folder, facts, fold):
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("seed,epoch,loss,c_index_train,c_index_test,seconds\n0,1,1,0.5,0.5,1\n")
    run = {
        **facts,
        "fold": fold,
        "seeds": list(SEEDS),
        "n_train": 80,
        "n_test": 20,
        "versions": {"python": "3.11.9", "torch": "2.14.0"},
        "facts": {"distance_before_alignment": [4 + fold, 6 + fold], "distance_after_alignment": [3, 3]},
    }
    (folder / "run.json").write_text(json.dumps(run))


def write_evaluation(folder, facts, c_index):
    """An evaluation whose protocols' C-indices are a function of protocol, fold and seed."""
    folder.mkdir(parents=True)
    protocols = {}
    for protocol in ("last", "best-on-test"):
        scores = [
            {
                "fold": fold,
                "seed": seed,
                "epoch": 1,
                "c_index": c_index(protocol, fold, seed),
                "n_test": 20,
                "n_events": 9,
            }
            for fold in range(FOLDS)
            for seed in SEEDS
        ]
        numbers = [score["c_index"] for score in scores if score["c_index"] is not None]
        mean = sum(numbers) / len(numbers) if numbers else None
        protocols[protocol] = {
            "folds": scores,
            "mean": mean,
            "std": None if mean is None else 0.05,
            "seeds": [{"seed": seed, "mean": mean} for seed in SEEDS],
            "std_over_seeds": 0.01,
            "pooled": mean,
        }
    (folder / "evaluation.json").write_text(json.dumps({**facts, "protocols": protocols}))
    (folder / "risks.csv").write_text("protocol,fold,patient_id,months,censorship,risk,group\n")
    (folder / "curves.csv").write_text("protocol,group,months,survival,lower,upper,at_risk\n")
    (folder / "calibration.csv").write_text("protocol,months,group,predicted,observed,lower,upper,n\n")
    return folder / "evaluation.json"


def flat(model, cohort, protocol, fold, seed):
    """Every model as good as every other."""
    return 0.6


@pytest.fixture
def make_evaluations(tmp_path):
    """Write the evaluations of all points on a cohort and return their paths."""

    def make(cohort, *, base=None, encoder="resnet50", c_index=flat, synthetic=False, weights="hub"):
        folder, paths = tmp_path / "results" / cohort, []
        (folder / "cohort").mkdir(parents=True, exist_ok=True)
        (folder / "cohort" / "summary.json").write_text(json.dumps({"cohort": cohort}))
        for model in models_of(base or {"k": 6}):
            facts = {
                "cohort": cohort, "encoder": encoder, "model": model, "method": "ccl", "weights": weights,
                "synthetic": synthetic, "parameters": 1, "k": 6, "empty_clusters": 0, "left_out": {},
            }  # fmt: skip
            for fold in range(FOLDS):
                write_run(folder / "train" / encoder / model / f"fold{fold}", facts, fold)

            def judged(protocol, fold, seed, model=model):
                return c_index(model, cohort, protocol, fold, seed)

            paths.append(write_evaluation(folder / "evaluate" / encoder / model, facts, judged))
        return paths

    return make


@pytest.fixture
def spread():
    """Points that differ from the default by a known amount in each fold, and from seed to seed by noise they share."""

    def c_index(model, cohort, protocol, fold, seed):
        own = 0.6 + 0.05 * fold + 0.02 * seed + (0.03 if protocol == "best-on-test" else 0)
        return own if model == DEFAULT else own + 0.01 * (fold - 3)

    return c_index
