"""The protocol whose epoch is chosen by patients held out of training."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ccl.evaluate.stage import evaluate_runs
from ccl.io.errors import InputError


def evaluate(folders, out):
    evaluate_runs(runs=folders, out=out)
    return json.loads((out / "evaluation.json").read_text())["protocols"]


def test_the_earlier_of_the_best_epochs_on_held_out_patients_is_judged(write_fold, patients, tmp_path):
    tested = patients(40)
    rng = np.random.default_rng(0)
    risk = {(seed, epoch): rng.normal(size=40) for seed in (0, 9) for epoch in (1, 2, 3, 4)}
    inner = {0: [0.5, 0.7, 0.7, 0.6], 9: [0.4, 0.5, 0.6, 0.8]}
    folder = write_fold(
        0, tested, lambda s, e: risk[s, e], epochs=4, seeds=(0, 9), inner=lambda s, e: inner[s][e - 1]
    )  # fmt: skip
    found = evaluate([folder], tmp_path / "out")
    assert list(found) == ["last", "best-on-test", "inner"]
    assert {row["seed"]: row["epoch"] for row in found["inner"]["folds"]} == {0: 2, 9: 4}
    risks = pd.read_csv(tmp_path / "out" / "risks.csv").query("protocol == 'inner'")
    assert risks["risk"].to_numpy() == pytest.approx((risk[0, 2] + risk[9, 4]) / 2)
    assert {"inner"} < set(pd.read_csv(tmp_path / "out" / "curves.csv")["protocol"])
    assert set(found["inner"]) == set(found["last"])


def test_without_held_out_patients_there_is_no_such_protocol(write_fold, patients, tmp_path):
    tested = patients(40)
    found = evaluate([write_fold(0, tested, lambda s, e: tested["months"])], tmp_path / "out")
    assert list(found) == ["last", "best-on-test"]


def test_history_that_lacks_an_epoch_is_refused(write_fold, patients, tmp_path):
    tested = patients(40)
    folder = write_fold(0, tested, lambda s, e: tested["months"], inner=lambda s, e: 0.5)
    pd.read_csv(folder / "history.csv").iloc[:-1].to_csv(folder / "history.csv", index=False)
    with pytest.raises(InputError, match=r"(?s)history.*2 pairs of seed and epoch"):
        evaluate([folder], tmp_path / "out")
