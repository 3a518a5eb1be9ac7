"""A folder of results as the stages leave it, small and made in a second."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from ccl.evaluate.stage import evaluate_runs
from ccl.io.formats import ManifestRow, write_manifest
from ccl.methods import get_method

FOLDS = 3


def draw_patients(cohort, n):
    rng = np.random.default_rng(n)
    death, end = rng.exponential(30, n), rng.uniform(5, 80, n)
    return pd.DataFrame(
        {
            "patient_id": [f"{cohort}-P{i:02d}" for i in range(n)],
            "months": np.minimum(death, end),
            "censorship": (end < death).astype(int),
            "fold": np.arange(n) % FOLDS,
        }
    )


def write_cohort(folder, patients, *, synthetic, slides):
    (folder / "cohort").mkdir(parents=True)
    dead = patients["censorship"] == 0
    sides = {fold: patients["fold"] == fold for fold in range(FOLDS)}
    folds = [
        {
            "fold": fold,
            "train": int((~test).sum()),
            "test": int(test.sum()),
            "train_events": int((~test & dead).sum()),
            "test_events": int((test & dead).sum()),
        }
        for fold, test in sides.items()
    ]
    summary = {
        "cohort": folder.name,
        "synthetic": synthetic,
        "patients": len(patients),
        "events": int(dead.sum()),
        "censored_share": float((~dead).mean()),
        "slides": len(slides),
        "patients_without_slides": [],
        "median_follow_up_months": None,
        "months_max": float(patients["months"].max()),
        "folds": folds,
        "inputs": {"patients": [{"file": f"{folder.name}.csv", "sha256": "5e" * 32}]},
    }
    (folder / "cohort" / "summary.json").write_text(json.dumps(summary))
    patients.drop(columns="fold").to_csv(folder / "cohort" / "patients.csv", index=False)
    rows = [(slide, patients["patient_id"][0], f"{i}.svs", None) for i, slide in enumerate(slides)]
    pd.DataFrame(rows, columns=["slide_id", "patient_id", "path", "mpp"]).to_csv(
        folder / "cohort" / "slides.csv", index=False
    )


def write_slides(folder, slides):
    """Manifests and pictures of two slide stages; `slides` maps a slide to the reason for its exclusion, or ''."""
    for stage in ("tissue", "tile"):
        rows = []
        for slide, reason in slides.items():
            status = "excluded" if reason else "ok"
            rows.append(ManifestRow(slide, status, folder / stage / f"{slide}.x", "", 0 if reason else 1234, reason))
            if not (reason and stage == "tile"):
                (folder / stage).mkdir(exist_ok=True)
                cv2.imwrite(str(folder / stage / f"{slide}.jpg"), np.full((600, 900, 3), 200, np.uint8))
        write_manifest(folder / stage / "manifests" / "0.tsv", rows)


def write_fold(folder, patients, fold, facts, number):
    """A run whose risks follow survival ever more closely from epoch to epoch, with noise that grows with `number`."""
    rng = np.random.default_rng([fold, number])
    folder.mkdir(parents=True)
    tested = patients[patients["fold"] == fold].drop(columns="fold")
    rows, history = [], []
    for seed in facts["seeds"]:
        for epoch in range(1, facts["settings"]["epochs"] + 1):
            risk = rng.normal(0, 20 * (1 + number), len(tested)) - epoch * tested["months"]
            row = tested.assign(seed=seed, epoch=epoch, risk=risk)
            if "interval_edges" in facts:
                hazard = 1 / (1 + np.exp(-(risk - risk.mean()) / 40 + 1))
                row = row.assign(**{f"survival_{k}": (1 - hazard) ** k for k in (1, 2, 3)})
            rows.append(row)
            test = 0.55 + epoch / 50 + fold / 20 - seed / 10
            inner = 0.6 + epoch * (3 - epoch) / 50  # best after one epoch and after two, of which the earlier counts
            history.append((seed, epoch, 2 - epoch / 10, 0.6 + epoch / 50, inner, test, 0.1))
    pd.concat(rows).to_csv(folder / "predictions.csv", index=False)
    columns = ["seed", "epoch", "loss", "c_index_train", "c_index_inner", "c_index_test", "seconds"]
    absent = [] if "n_inner" in facts else ["c_index_inner"]
    pd.DataFrame(history, columns=columns).drop(columns=absent).to_csv(folder / "history.csv", index=False)
    (folder / "run.json").write_text(json.dumps({**facts, "fold": fold}))


@pytest.fixture(scope="session")
def make_results():
    """Make the results of one cohort and return its evaluations.

    `inner` is the share of training patients that were held out to choose the epoch.

    Each of `methods` is an encoder, a model's name and, where it differs, the name of the method; `hyper` and `found`
    (what training tells of the training patients) are of all.
    """

    def make(
        results,
        cohort,
        *,
        methods=(("resnet50", "ccl"),),
        synthetic=False,
        weights="hub",
        slides=None,
        left_out=None,
        lacking=None,
        censored_fold=None,
        intervals_from="train",
        seeds=(0, 1),
        hyper=None,
        found=None,
        k=6,
        n=36,
        interval_edges=None,
        inner=0.0,
    ):
        folder, slides = results / cohort, slides or {}
        patients = draw_patients(cohort, n)
        patients.loc[patients["fold"] == censored_fold, "censorship"] = 1
        write_cohort(folder, patients, synthetic=synthetic, slides=slides)
        if slides:
            write_slides(folder, slides)
        evaluations = []
        for number, (encoder, model, *method) in enumerate(methods):
            clusters = None if encoder == "none" else k
            facts = {
                "cohort": cohort,
                "encoder": encoder,
                "model": model,
                "method": method[0] if method else model,
                "weights": "none" if encoder == "none" else weights,
                "synthetic": synthetic,
                "hyper": hyper or {},
                "settings": {"epochs": 4, "intervals_from": intervals_from},
                "seeds": list(seeds),
                "parameters": 1234567,
                "families": {"f0": ["TP53_rnaseq"]},
                "k": clusters,
                "empty_clusters": clusters and 0.125,
                "facts": found or {},
                "left_out": left_out or {},
                "versions": {"ccl": "0.1.0", "python": "3.11.9", "torch": "2.14.0"},
            }
            if lacking is not None and get_method(facts["method"]).multimodal:
                facts |= {"lacking": lacking, "left_out": {}}
            if inner:
                facts |= {"n_inner": 5, "settings": {**facts["settings"], "inner": inner}}
            if interval_edges:
                facts["interval_edges"] = interval_edges
            trained = folder / "train" / encoder / model
            for fold in range(FOLDS):
                tested = patients[~patients["patient_id"].isin(facts["left_out"])]
                write_fold(trained / f"fold{fold}", tested, fold, facts, number)
            out = folder / "evaluate" / encoder / model
            evaluate_runs(runs=[trained / f"fold{fold}" for fold in range(FOLDS)], out=out)
            evaluations.append(out / "evaluation.json")
        return evaluations

    return make
